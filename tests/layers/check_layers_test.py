"""Plants one violation of each rule in a tree of its own and sees it found."""

import pathlib
import tempfile
import unittest

import check_layers


class CheckLayers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for layer in check_layers.LAYERS:
            self.write(f"{layer}/README.md", f"# {layer}\n")
            self.write(f"{layer}/own.h", f'#include <string>\n\n#include "engram/{layer}/other.h"\n')

    def write(self, path, text):
        target = self.root / "src" / "engram" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def found(self):
        return [str(violation) for violation in check_layers.check_tree(self.root)]

    def expect_one(self, *parts):
        found = self.found()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_clean_tree_passes(self):
        self.assertEqual(self.found(), [])

    def test_every_allowed_include_passes(self):
        for layer, may_include in check_layers.LAYERS.items():
            includes = [f'#include "engram/{other if other != "proto" else "v1"}/x.h"' for other in sorted(may_include)]
            self.write(f"{layer}/all.cc", "\n".join(includes))
        self.assertEqual(self.found(), [])

    def test_every_forbidden_layer_is_found(self):
        for layer, may_include in check_layers.LAYERS.items():
            for other in set(check_layers.LAYERS) - may_include - {layer}:
                with self.subTest(layer=layer, other=other):
                    self.write(f"{layer}/bad.cc", f'\n#include "engram/{other}/x.h"\n')
                    self.expect_one(f"src/engram/{layer}/bad.cc:2:", f"of {other}")
                    (self.root / "src/engram" / layer / "bad.cc").unlink()

    def test_every_library_is_kept_to_its_folders(self):
        for library, layers in check_layers.LIBRARIES.items():
            for layer in check_layers.LAYERS:
                with self.subTest(library=library, layer=layer):
                    self.write(f"{layer}/uses.cc", f"#include <{library}x.h>\n")
                    if layer in layers:
                        self.assertEqual(self.found(), [])
                    else:
                        self.expect_one(f"src/engram/{layer}/uses.cc:1:", library)
                    (self.root / "src/engram" / layer / "uses.cc").unlink()

    def test_generated_messages_are_kept_out_of_the_pure_folders(self):
        self.write("routing/bad.cc", '#include "engram/v1/common.pb.h"\n')
        self.expect_one("src/engram/routing/bad.cc:1:", "of proto")

    def test_peer_messages_count_as_generated(self):
        self.write("memory/bad.h", '  #  include <engram/peer/v1/peer.pb.h>\n')
        self.expect_one("src/engram/memory/bad.h:1:", "of proto")

    def test_test_files_obey_too(self):
        self.write("base/x_test.cc", '#include "engram/net/server.h"\n')
        self.expect_one("src/engram/base/x_test.cc:1:")

    def test_files_in_subfolders_obey_too(self):
        self.write("base/deep/x.cc", '#include "engram/net/server.h"\n')
        self.expect_one("src/engram/base/deep/x.cc:1:")

    def test_unknown_folder_in_an_include(self):
        self.write("server/bad.cc", '#include "engram/utils/x.h"\n')
        self.expect_one("of utils")

    def test_relative_include(self):
        self.write("server/bad.cc", '#include "../net/x.h"\n')
        self.expect_one("write the path from src/")

    def test_include_without_folder(self):
        self.write("server/bad.cc", '#include "x.h"\n')
        self.expect_one("write the path from src/")

    def test_folder_without_a_row(self):
        self.write("misc/x.h", "")
        self.expect_one("src/engram/misc:0:", "LAYERS")

    def test_missing_readme(self):
        (self.root / "src/engram/net/README.md").unlink()
        self.expect_one("src/engram/net:0:", "README.md")

    def test_longest_file_passes(self):
        self.write("net/long.cc", "\n" * check_layers.LINES_MAX)
        self.assertEqual(self.found(), [])

    def test_too_long_file(self):
        self.write("net/long.cc", "\n" * (check_layers.LINES_MAX + 1))
        self.expect_one("src/engram/net/long.cc:501:", "split it")

    def test_missing_tree_is_not_a_pass(self):
        self.assertEqual(len(list(check_layers.check_tree(self.root / "nothing"))), 1)


if __name__ == "__main__":
    unittest.main()
