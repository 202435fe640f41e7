"""Reads WordNet's data files (format: wndb(5WN); lexicographer files: lexnames(5WN))."""

import collections
import dataclasses
import pathlib

DIRECTORY = pathlib.Path("/usr/share/wordnet")
FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}

# By lex_filenum.
LEXFILES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person "
    "noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition "
    "verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social "
    "verb.stative verb.weather adj.ppl"
).split()


@dataclasses.dataclass(frozen=True)
class Pointer:
    symbol: str
    offset: str
    part: str  # key of FILES; the file that `offset` is in


@dataclasses.dataclass
class Synset:
    offset: str
    part: str
    lexfile: str
    words: list
    pointers: list
    gloss: str
    uses: int = 0  # how often its words occur in this sense in WordNet's tagged texts


def parse_line(line, part):
    """One line of a data file."""
    fields, gloss = line.split(" | ", 1)
    fields = iter(fields.split())
    offset = next(fields)
    lexfile = LEXFILES[int(next(fields))]
    next(fields)  # ss_type: for adjectives also "s"; the file's own letter is enough
    words = []
    for _ in range(int(next(fields), 16)):
        # An adjective may carry a syntactic marker: "alive(p)".
        words.append((next(fields).split("(")[0], int(next(fields), 16)))
    pointers = []
    for _ in range(int(next(fields))):
        symbol, target, target_part = next(fields), next(fields), next(fields)
        next(fields)  # source/target: which words a lexical relation joins; we link whole synsets
        pointers.append(Pointer(symbol, target, "a" if target_part == "s" else target_part))
    return Synset(offset, part, lexfile, words, pointers, gloss.strip())


def read_uses(directory):
    """(lemma, lexfile, lex_id) -> how often it is tagged; from cntlist.rev, whose keys are senses (senseidx(5WN))."""
    uses = {}
    for line in (directory / "cntlist.rev").read_text(encoding="ascii").splitlines():
        key, _, count = line.split()
        lemma, sense = key.split("%")
        _, lexfile, lex_id, _, _ = sense.split(":")
        uses[lemma, LEXFILES[int(lexfile)], int(lex_id)] = int(count)
    return uses


def read(lexfiles, directory=DIRECTORY):
    """Lexicographer file -> its synsets in order of their offsets."""
    unknown = sorted(set(lexfiles) - set(LEXFILES))
    if unknown:
        raise ValueError(f"no such lexicographer file: {', '.join(unknown)}; there are {', '.join(LEXFILES)}")
    uses = read_uses(directory)
    wanted = collections.defaultdict(list)
    for part, name in FILES.items():
        if not any(lexfile.startswith(f"{name}.") for lexfile in lexfiles):
            continue
        with open(directory / f"data.{name}", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("  "):
                    continue  # the licence at the top of the file
                synset = parse_line(line, part)
                if synset.lexfile in lexfiles:
                    synset.uses = sum(uses.get((w.lower(), synset.lexfile, lex_id), 0) for w, lex_id in synset.words)
                    wanted[synset.lexfile].append(synset)
    return {lexfile: wanted[lexfile] for lexfile in lexfiles}
