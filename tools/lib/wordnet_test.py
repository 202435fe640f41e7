"""Tests of tools/wordnet against Debian's wordnet-base, which tools/setup installs."""

import json
import pathlib
import re
import subprocess
import unittest

import wordnet_db
import wordnet_memories

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "wordnet"


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)


def run_lines(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class ParseLine(unittest.TestCase):
    def test_noun(self):
        synset = wordnet_db.parse_line(
            "07873807 13 n 02 pizza 0 pizza_pie 0 003 @ 07622061 n 0000 ~ 07873968 n 0000 + 01234567 v 0101 "
            "| Italian open pie  \n", "n")
        self.assertEqual(synset.lexfile, "noun.food")
        self.assertEqual(synset.words, [("pizza", 0), ("pizza_pie", 0)])
        self.assertEqual([(p.symbol, p.offset, p.part) for p in synset.pointers],
                         [("@", "07622061", "n"), ("~", "07873968", "n"), ("+", "01234567", "v")])
        self.assertEqual(synset.gloss, "Italian open pie")

    def test_adjective_without_its_marker_and_with_a_satellite(self):
        synset = wordnet_db.parse_line("00000001 00 s 01 afraid(p) 1 001 & 00000002 s 0000 | in fear", "a")
        self.assertEqual(synset.words, [("afraid", 1)])
        self.assertEqual(synset.pointers[0].part, "a")

    def test_word_count_is_hexadecimal(self):
        words = " ".join(f"w{i} 0" for i in range(16))
        self.assertEqual(len(wordnet_db.parse_line(f"00000001 13 n 10 {words} 000 | x", "n").words), 16)


class Memories(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = run()
        cls.memories = [json.loads(line) for line in done.stdout.splitlines()]
        cls.summary = done.stderr
        cls.by_space = {}
        for memory in cls.memories:
            cls.by_space.setdefault(memory["space"], {})[memory["id"]] = memory

    def test_enough_spaces_and_entries(self):
        self.assertGreaterEqual(len(self.by_space), 12)
        self.assertTrue(2000 <= len(self.memories) <= 4000, len(self.memories))

    def test_ids_are_unique_and_allowed(self):
        self.assertEqual(sum(map(len, self.by_space.values())), len(self.memories))
        for memory in self.memories:
            self.assertRegex(memory["id"], r"^[A-Za-z0-9._:-]{1,64}$")
            self.assertRegex(memory["space"], r"^[a-z0-9._-]{1,128}$")

    def test_links_stay_in_the_space_and_lead_to_entries_written(self):
        for memory in self.memories:
            self.assertLessEqual(len(memory["links"]), wordnet_memories.LINKS_MAX)
            for link in memory["links"]:
                self.assertIn(link["to"], self.by_space[memory["space"]])
                self.assertNotEqual(link["to"], memory["id"])
                self.assertTrue(0 < link["weight"] <= 1)

    def test_network_is_dense(self):
        linked = sum(bool(memory["links"]) for memory in self.memories)
        self.assertGreater(linked / len(self.memories), 0.95)

    def test_known_entry(self):
        pizza = self.by_space["noun.food"]["pizza.07873807"]
        self.assertTrue(pizza["content"].startswith("pizza, pizza pie: Italian open pie made of thin bread dough"))
        self.assertEqual(pizza["tags"], ["noun"])
        self.assertEqual(pizza["metadata"], {"synset": "07873807", "lexfile": "noun.food"})
        self.assertEqual(pizza["kind"], "semantic")
        self.assertIn({"to": "dish.07557434", "weight": 0.9}, pizza["links"])

    def test_same_output_every_time(self):
        self.assertEqual(run_lines(), self.memories)

    def test_small_file_is_taken_whole(self):
        whole = wordnet_db.read(["noun.motive"])["noun.motive"]
        self.assertEqual(len(self.by_space["noun.motive"]), len(whole))

    def test_limit_and_spaces_are_kept_to(self):
        memories = run_lines("--spaces", "noun.animal,adj.all", "--limit-per-space", "20")
        self.assertEqual([m["space"] for m in memories], ["noun.animal"] * 20 + ["adj.all"] * 20)

    def test_slice_holds_what_is_above_each_entry(self):
        every = wordnet_db.read(["noun.animal"])["noun.animal"]
        inside = {s.offset for s in every}
        taken = {s.offset for s in wordnet_memories.select(every, 100)}
        for synset in every:
            if synset.offset in taken:
                above = {p.offset for p in synset.pointers if p.symbol in wordnet_memories.UP and p.part == "n"}
                self.assertLessEqual(above & inside, taken)

    def test_every_relation_of_every_file_has_a_weight(self):
        for lexfile, synsets in wordnet_db.read(wordnet_db.LEXFILES).items():
            self.assertTrue(synsets, lexfile)
            wordnet_memories.make_memories(synsets)

    def test_summary_counts(self):
        links = sum(len(memory["links"]) for memory in self.memories)
        self.assertIn(f"{len(self.memories)} entries in {len(self.by_space)} spaces, {links} links", self.summary)


class Phrases(unittest.TestCase):
    def phrases(self, seed):
        return run_lines("--spaces", "verb.emotion", "--phrases", "50", "--seed", seed)

    def test_each_is_of_its_entry_and_of_no_other(self):
        words = {}
        for memory in run_lines():
            words.setdefault(memory["space"], {})[memory["id"]] = set(re.findall(r"[a-z0-9]+", memory["content"].lower()))
        phrases = run_lines("--phrases", "200", "--seed", "7")
        self.assertEqual(len({(p["space"], p["id"]) for p in phrases}), 200)
        for phrase in phrases:
            asked = phrase["query"].split()
            self.assertTrue(4 <= len(asked) <= 6, phrase)
            having = [i for i, has in words[phrase["space"]].items() if has.issuperset(asked)]
            self.assertEqual(having, [phrase["id"]])

    def test_same_seed_same_phrases(self):
        self.assertEqual(self.phrases("7"), self.phrases("7"))

    def test_other_seed_other_phrases(self):
        self.assertNotEqual(self.phrases("7"), self.phrases("8"))

    def test_more_than_there_are_is_an_error(self):
        done = run("--phrases", "1000", "--spaces", "noun.motive")
        self.assertEqual(done.returncode, 2)
        self.assertIn("1000 were asked for", done.stderr)


class Errors(unittest.TestCase):
    def test_unknown_file_is_named(self):
        done = run("--spaces", "noun.fod")
        self.assertEqual(done.returncode, 2)
        self.assertIn("noun.fod", done.stderr)

    def test_missing_data_says_what_to_do(self):
        done = run("--data", "/nonexistent")
        self.assertEqual(done.returncode, 1)
        self.assertIn("tools/setup", done.stderr)


if __name__ == "__main__":
    unittest.main()
