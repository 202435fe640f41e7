#!/usr/bin/env python3
"""Holds src/engram/ to its layers: who may include whom, which folder may see which library, how long a file may be.

Usage: check_layers.py [REPOSITORY]

The tables below are the rule; docs/ARCHITECTURE.md draws them. Exits 1 and names file and line of every violation.
"""

import dataclasses
import pathlib
import re
import sys

# "proto" stands for the messages generated from proto/.
LAYERS = {
    "base": set(),
    "storage": {"base"},
    "memory": {"base", "storage", "replication"},
    "membership": {"base"},
    "placement": {"base"},
    "routing": {"base", "placement"},
    "replication": {"base", "placement"},
    "net": {"base", "routing", "proto"},
    "cluster": {"base", "storage", "membership", "placement", "routing", "replication", "net", "proto"},
    "server": {
        "base", "storage", "memory", "membership", "placement", "routing", "replication", "net", "cluster", "proto"
    },
    "client": {"base", "placement", "routing", "net", "proto"},
    "cli": {"base", "client", "server", "proto"},  # the client speaks in the generated messages
}

# Libraries that only some folders may see: the beginning of the include -> the folders.
LIBRARIES = {
    "rocksdb/": {"storage"},
    "nghttp2/": {"net"},
    "openssl/": {"net"},
    "zlib.h": {"net"},
    "ares.h": {"cluster"},
    "prometheus/": {"server"},
    "google/protobuf/": {layer for layer, may_include in LAYERS.items() if "proto" in may_include},
    # gRPC's own C++ library is what tests and benches compare with; the program never links it.
    "grpcpp/": set(),
    "grpc++/": set(),
    "grpc/": set(),
    # Its health and reflection services are protos like ours, served by our own engine.
    "grpc/health/": {"server"},
    "grpc/reflection/": {"server"},
}

LINES_MAX = 500
SUFFIXES = {".h", ".cc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?P<quote>[<"])(?P<path>[^>"]+)[>"]')


@dataclasses.dataclass(frozen=True)
class Violation:
    path: pathlib.Path
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


def layer_of_include(path):
    """The layer that an include belongs to; None for libraries."""
    parts = path.split("/")
    if parts[0] != "engram" or len(parts) < 2:
        return None
    return "proto" if parts[1] in ("v1", "peer") else parts[1]


def check_include(layer, included, quoted):
    """What is wrong with `included` in a file of `layer`; None if nothing is."""
    matching = [library for library in LIBRARIES if included.startswith(library)]
    if matching:
        layers = LIBRARIES[max(matching, key=len)]
        if layer not in layers:
            where = f"only {', '.join(sorted(layers))} may" if layers else "only tests and benches may"
            return f"{layer} includes <{included}>: {where}"
    target = layer_of_include(included)
    if target is None:
        if quoted and ("/" not in included or included.startswith(".")):
            return f'"{included}": write the path from src/, "engram/{layer}/..."'
        return None
    if target != layer and target not in LAYERS[layer]:
        allowed = ", ".join(sorted(LAYERS[layer])) or "nothing"
        return f'{layer} includes "{included}" of {target}: it may include {allowed}'
    return None


def check_file(layer, path, shown):
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > LINES_MAX:
        yield Violation(shown, len(lines), f"{len(lines)} lines, more than {LINES_MAX}: split it by what it does")
    for number, line in enumerate(lines, start=1):
        match = INCLUDE.match(line)
        if not match:
            continue
        problem = check_include(layer, match["path"], match["quote"] == '"')
        if problem:
            yield Violation(shown, number, problem)


def check_tree(root):
    """All violations under root/src/engram."""
    root = pathlib.Path(root)
    source = root / "src" / "engram"
    if not source.is_dir():
        yield Violation(pathlib.Path("src/engram"), 0, "no such folder")
        return
    for folder in sorted(entry for entry in source.iterdir() if entry.is_dir()):
        shown = folder.relative_to(root)
        if folder.name not in LAYERS:
            yield Violation(shown, 0, "a folder without a row in LAYERS of tests/layers/check_layers.py")
            continue
        if not (folder / "README.md").is_file():
            yield Violation(shown, 0, "no README.md that says the folder's one job and what it must not know")
        for path in sorted(folder.rglob("*")):
            if path.suffix in SUFFIXES:
                yield from check_file(folder.name, path, path.relative_to(root))


def main(arguments):
    if len(arguments) > 1 or set(arguments) & {"-h", "--help"}:
        print(__doc__)
        return 0 if arguments else 2
    root = arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2]
    violations = list(check_tree(root))
    for violation in violations:
        print(violation)
    print(f"layers: {len(violations)} violations" if violations else "layers: ok")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
