#!/usr/bin/env python3
"""Runs clang-tidy over the C++ files that git tracks, on all cores, and remembers which files were clean.

Usage: tidy.py BUILD_DIR [--all | FILE...]

A file is looked at again when it, a project header or proto that it includes (directly or not), its compile command,
.clang-tidy or clang-tidy itself has changed. What was clean is remembered in .cache/clang-tidy/.

A fresh clone remembers nothing, but knows of one commit, in tools/lib/tidy_baseline, that passed all of CI: what is the same there,
with all that it includes, was clean then. With --all, if the rules or the compiler's options have changed since, or if the
clone does not have that commit, every file is looked at. Whoever moves the baseline forward names a commit that passed.
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
BASELINE = ROOT / "tools" / "lib" / "tidy_baseline"
# What decides of all files: the rules, and the compiler's options.
OF_ALL = {".clang-tidy", "CMakeLists.txt", "CMakePresets.json", "cmake/Options.cmake"}
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


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def changed_since_baseline():
    """The files that are not as they were; None: nothing is known of them."""
    commit = BASELINE.read_text(encoding="utf-8").split()[0]
    if git("cat-file", "-e", commit + "^{commit}").returncode != 0:
        return None
    names = set(git("diff", "--name-only", commit).stdout.splitlines())
    return None if names & OF_ALL else {ROOT / name for name in names}


def run_tidy(path, build):
    done = subprocess.run(["clang-tidy", "-p", build, "--quiet", path], capture_output=True, text=True, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not NOISE.match(line)]
    return done.returncode, "\n".join(lines)


def unlike_baseline(paths, hasher):
    """Those that are not, with all that they include, as the baseline has them."""
    changed = changed_since_baseline()
    if changed is None:
        return set(paths)
    return {path for path in paths if changed.intersection(hasher.closure(path))}


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
    names = arguments[1:]
    look_at_all = names == ["--all"]
    files = files_to_check(build, [] if look_at_all else names)
    unlike = set(files) if names else unlike_baseline(files, hasher)
    for path, command in sorted(files.items()):
        if path not in unlike:
            continue
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
