"""Makes memories of WordNet's synsets: which ones, and what each is. docs/WORDNET.md says why so."""

import collections
import random
import re

# How strongly recall of the one should bring up the other: up the tree more than down, since a general term says
# something of the special one, but a special term is one of many of the general one.
WEIGHTS = {
    "@": 0.9,  # hypernym
    "@i": 0.9,  # instance hypernym
    "~": 0.7,  # hyponym
    "~i": 0.7,  # instance hyponym
    "&": 0.8,  # similar to
    "$": 0.8,  # verb group
    "*": 0.7,  # entails
    ">": 0.7,  # causes
    "\\": 0.7,  # pertains to, or derived from adjective
    "<": 0.7,  # participle of verb
    "#m": 0.6,  # member holonym
    "#s": 0.6,  # substance holonym
    "#p": 0.6,  # part holonym
    "%m": 0.6,  # member meronym
    "%s": 0.6,  # substance meronym
    "%p": 0.6,  # part meronym
    "^": 0.6,  # see also
    "!": 0.5,  # antonym
    "+": 0.5,  # derivationally related
    "=": 0.5,  # attribute
    ";c": 0.4,  # domain: topic
    ";r": 0.4,  # domain: region
    ";u": 0.4,  # domain: usage
    "-c": 0.3,  # member of this topic
    "-r": 0.3,  # member of this region
    "-u": 0.3,  # member of this usage
}
UP = ("@", "@i")

# Bounds of Engram itself (proto/engram/v1/memory.proto).
ID_BYTES_MAX = 64
LINKS_MAX = 256


def make_id(synset):
    """`lemma.offset` in the alphabet of memory ids."""
    lemma = re.sub(r"[^A-Za-z0-9._:-]", "-", synset.words[0][0])
    return f"{lemma[: ID_BYTES_MAX - 1 - len(synset.offset)]}.{synset.offset}"


def inner_pointers(synset, by_offset):
    """The relations that stay within the lexicographer file."""
    return [p for p in synset.pointers if p.part == synset.part and p.offset in by_offset and p.offset != synset.offset]


def select(synsets, limit):
    """At most `limit` of the synsets of one file: the well-known and well-connected ones, each with all that is above it
    in the tree, so that what is taken hangs together. In order of their offsets."""
    if len(synsets) <= limit:
        return synsets
    by_offset = {s.offset: s for s in synsets}
    inner = {s.offset: inner_pointers(s, by_offset) for s in synsets}
    taken = set()
    for best in sorted(synsets, key=lambda s: (-(s.uses + len(inner[s.offset])), s.offset)):
        chain, queue = [], [best.offset]
        while queue:
            offset = queue.pop()
            if offset not in taken and offset not in chain:
                chain.append(offset)
                queue += [p.offset for p in inner[offset] if p.symbol in UP]
        if len(taken) + len(chain) <= limit:
            taken.update(chain)
    return [s for s in synsets if s.offset in taken]


def links_of(synset, ids):
    """The strongest relation to each entry that is written too; `ids` is offset -> id of those. Best first."""
    weights = {}
    for pointer in inner_pointers(synset, ids):
        weight = WEIGHTS[pointer.symbol]
        weights[pointer.offset] = max(weight, weights.get(pointer.offset, 0))
    strongest = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:LINKS_MAX]
    return [{"to": ids[offset], "weight": weight} for offset, weight in strongest]


def make_memory(synset, ids):
    words = ", ".join(word.replace("_", " ") for word, _ in synset.words)
    return {
        "space": synset.lexfile.lower(),
        "id": ids[synset.offset],
        "content": f"{words}: {synset.gloss}",
        "tags": [synset.lexfile.split(".")[0]],
        "metadata": {"synset": synset.offset, "lexfile": synset.lexfile},
        "kind": "semantic",
        "links": links_of(synset, ids),
    }


def make_memories(synsets):
    """The memories of one space."""
    ids = {s.offset: make_id(s) for s in synsets}
    return [make_memory(s, ids) for s in synsets]


# --- phrases ---------------------------------------------------------------------------------------------------------

WORD = re.compile(r"[a-z0-9]+")
# Words this short or this common say nothing about an entry.
WORD_LENGTH_MIN = 3
COMMON = frozenset("and are for from has have its not one that the their this usually used which who with".split())
PHRASE_WORDS = (4, 5, 6)
TELLING_WORDS_MIN = 3
# Words with the same first letters count as one, so that a phrase stays its entry's own when a search stems words.
STEM_LENGTH = 5


def stems(words):
    return {w[:STEM_LENGTH] for w in words if len(w) >= WORD_LENGTH_MIN and w not in COMMON}


def own_phrase(gloss, entries_with, choose):
    """4 to 6 consecutive words of the gloss whose telling words occur together in one entry only; None if there are none.
    `entries_with` maps a stem to the entries of the space that have it."""
    words = WORD.findall(gloss.lower())
    windows = [(n, i) for n in PHRASE_WORDS for i in range(len(words) - n + 1)]
    choose.shuffle(windows)
    for length, start in windows:
        telling = stems(words[start : start + length])
        if len(telling) < TELLING_WORDS_MIN:
            continue
        if len(set.intersection(*(entries_with[stem] for stem in telling))) == 1:
            return " ".join(words[start : start + length])
    return None


def make_phrases(spaces, count, seed):
    """`count` times {space, id, query}, the same for the same seed; `spaces` is a list of make_memories() results."""
    choose = random.Random(seed)
    candidates = []
    for memories in spaces:
        entries_with = collections.defaultdict(set)
        for memory in memories:
            for stem in stems(WORD.findall(memory["content"].lower())):
                entries_with[stem].add(memory["id"])
        candidates += [(memory, entries_with) for memory in memories]
    choose.shuffle(candidates)
    phrases = []
    for memory, entries_with in candidates:
        if len(phrases) == count:
            break
        query = own_phrase(memory["content"].split(": ", 1)[1], entries_with, choose)
        if query:
            phrases.append({"space": memory["space"], "id": memory["id"], "query": query})
    if len(phrases) < count:
        raise ValueError(f"only {len(phrases)} entries have a phrase of their own, {count} were asked for")
    return phrases
