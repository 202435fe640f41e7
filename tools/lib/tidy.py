#!/usr/bin/env python3
"""Runs clang-tidy over the C++ files that git tracks, on all cores, and remembers which files were clean.

Usage: tidy.py BUILD_DIR [FILE...]

A file is looked at again when it, a project header or proto that it includes (directly or not), its compile command,
.clang-tidy or clang-tidy itself has changed. What was clean is remembered in .cache/clang-tidy/.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "clang-tidy"
INCLUDE = re.compile(rb'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
# "1234 warnings generated." and the like: what clang found in libraries and nobody asked for.
NOISE = re.compile(r"^(\d+ warnings? .*generated.*|Suppressed \d+ warnings.*|Use -header-filter=.*)$")


class Hasher:
    """Content hashes of files together with all of the project that they include. Not thread-safe."""

    def __init__(self):
        self.includes = {}

    def direct(self, path):
        """The project's own files among the includes of `path`."""
        if path not in self.includes:
            found = []
            for name in INCLUDE.findall(path.read_bytes()):
                name = name.decode()
                generated = ROOT / "proto" / name.replace(".pb.h", ".proto")
                for candidate in (ROOT / "src" / name, ROOT / name, path.parent / name, generated):
                    if candidate.is_file():
                        found.append(candidate.resolve())
                        break
            self.includes[path] = found
        return self.includes[path]

    def closure(self, path):
        seen, queue = {path}, [path]
        while queue:
            new = set(self.direct(queue.pop())) - seen
            seen |= new
            queue += new
        return sorted(seen)

    def key(self, path, *others):
        digest = hashlib.sha256()
        for text in others:
            digest.update(text.encode() + b"\0")
        for included in self.closure(path):
            digest.update(str(included.relative_to(ROOT)).encode() + b"\0" + included.read_bytes() + b"\0")
        return digest.hexdigest()


def run_tidy(path, build):
    done = subprocess.run(["clang-tidy", "-p", build, "--quiet", path], capture_output=True, text=True, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not NOISE.match(line)]
    return done.returncode, "\n".join(lines)


def files_to_check(build, only):
    """Source file -> its compile command, for what is both compiled and tracked."""
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    tracked = subprocess.run(["git", "ls-files", "-z", "*.cc"], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = {ROOT / name for name in tracked.stdout.split("\0") if name}
    if only:
        wanted &= {pathlib.Path(name).resolve() for name in only}
    return {path: entry["command"] for entry in commands if (path := pathlib.Path(entry["file"])) in wanted}


def main(arguments):
    if not arguments or set(arguments) & {"-h", "--help"}:
        print(__doc__)
        return 0 if arguments else 2
    build = pathlib.Path(arguments[0]).resolve()
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout
    config = (ROOT / ".clang-tidy").read_text(encoding="utf-8")
    hasher = Hasher()
    todo = {}
    files = files_to_check(build, arguments[1:])
    for path, command in sorted(files.items()):
        stamp = CACHE / hasher.key(path, version, config, command)
        if not stamp.exists():
            todo[path] = stamp
    print(f"clang-tidy: {len(todo)} of {len(files)} files to look at", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(run_tidy, path, build): path for path in todo}
        for future in concurrent.futures.as_completed(running):
            path = running[future]
            code, output = future.result()
            if code == 0:
                todo[path].touch()
                continue
            failed += 1
            print(f"{path.relative_to(ROOT)}:\n{output}", flush=True)
    print(f"clang-tidy: {failed} files with findings" if failed else "clang-tidy: ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
