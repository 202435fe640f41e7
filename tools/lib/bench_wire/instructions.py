"""Where the instructions of a forwarded request go: each pass-through under valgrind's callgrind, by groups of functions.

Instructions hardly vary from run to run, unlike times, but the kernel's are not among them.
"""

import pathlib
import re
import tempfile

from contenders import Comparison, Setting
from load import Load, Target, call
from process import BenchError, Processes, run

LOAD = Load("h2load", 1, 64)
WARM_UP_REQUESTS = 2_000
REQUESTS = 10_000
COUNTED = ("engram", "our_pass_through", "nghttpx")  # programs that run under callgrind
CONTENDERS = ["engram", "wire", "nghttpx"]
OTHER = "the C++ library, Abseil, Asio, system calls' stubs"

# The first whose pattern is found in "object function" gets the function's own instructions. Templates of the standard
# library and of Abseil belong to what they are made for.
GROUPS = [
    ("HTTP/2 and header compression (libnghttp2)", r"^libnghttp2"),
    ("allocating and freeing", r"^\S+ (_int_malloc|_int_free|_int_realloc|malloc|free|calloc|realloc|unlink_chunk|"
                               r"operator (new|delete)|sysmalloc|arena_get|tcache)|^libjemalloc"),
    ("moving and comparing bytes", r"^\S+ '?_*(mem(cpy|move|set|cmp|chr)|str(len|cmp|ncmp|chr))"),
    ("routing and what it tells (`server/`, `routing/`)", r"engram::(server|routing|placement|base)::|NodeId|SpaceName"),
    ("gRPC on top of it (`net/`)", r"engram::|^our_pass_through|nghttp2_nv"),
    ("nghttpx's own code", r"^nghttpx"),
]


class CountedComparison(Comparison):
    """Starts what is counted under callgrind."""

    def start(self, program, *arguments, **options):
        if program not in COUNTED:
            return super().start(program, *arguments, **options)
        command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={self.setting.directory}/callgrind.%p",
                   self.setting.programs[program], *map(str, arguments)]
        return self.processes.start(command, f"{self.setting.directory}/{program}.log", **options)


def own_instructions(path):
    """Of a callgrind file: "object function" -> instructions in the function itself, without those of what it calls."""
    names, counted, place, calls = {}, {}, {"ob": "?", "fn": "?"}, False
    for line in path.read_text(encoding="utf-8").splitlines():
        if named := re.match(r"(c?)(ob|fn)=\((\d+)\)(?: (.*))?$", line):
            called, kind, number, name = named.groups()
            key = names.setdefault((kind, number), name)
            if not called:
                place[kind] = key
        elif line.startswith("calls="):
            calls = True  # the next line is what the call cost
        elif re.match(r"[+\-*\d]", line):
            if not calls:
                key = f"{pathlib.PurePath(place['ob']).name} {place['fn']}"
                counted[key] = counted.get(key, 0) + int(line.split()[1])
            calls = False
    return counted


def group_of(function):
    return next((name for name, pattern in GROUPS if re.search(pattern, function)), OTHER)


def count(comparison, contender):
    """(of the forwarder, of the owner behind it), each: group -> instructions per request."""
    def send(requests):
        call(LOAD, Target(contender.front.address, comparison.body, comparison.framed_body, None), requests, None,
             comparison.setting.directory, comparison.setting.programs)

    pids = [contender.front.process.pid, contender.owner.process.pid]
    send(WARM_UP_REQUESTS)
    for pid in pids:
        run("callgrind_control", "-z", str(pid))
    send(REQUESTS)
    return [by_group(take_dump(comparison.setting.directory, pid)) for pid in pids]


def take_dump(directory, pid):
    run("callgrind_control", "-d", str(pid))
    dumps = list(directory.glob(f"callgrind.{pid}.*"))
    if len(dumps) != 1:
        raise BenchError(f"callgrind wrote {len(dumps)} dumps of process {pid}, not one")
    instructions = own_instructions(dumps[0])
    dumps[0].unlink()
    return instructions


def by_group(instructions_of):
    groups = {}
    for function, instructions in instructions_of.items():
        groups[group_of(function)] = groups.get(group_of(function), 0) + instructions / REQUESTS
    return groups


def print_table(whose, columns):
    print(f"\n### Instructions of {whose} for a get, {LOAD}, without the kernel's\n| what | {' | '.join(columns)} |")
    print("| --- |" + " --- |" * len(columns))
    for name in [name for name, _ in GROUPS] + [OTHER]:
        if any(name in groups for groups in columns.values()):
            print(f"| {name} | {' | '.join(f'{groups.get(name, 0):,.0f}' for groups in columns.values())} |")
    print(f"| all | {' | '.join(f'{sum(groups.values()):,.0f}' for groups in columns.values())} |")


def print_instructions(programs, body_bytes):
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as directory, Processes() as processes:
        setting = Setting(body_bytes, False, 1, pathlib.Path(directory), programs)
        comparison = CountedComparison(setting, processes, CONTENDERS)
        counted = {contender.label: count(comparison, contender) for contender in comparison.contenders
                   if contender.way == "one hop"}
    for i, whose in enumerate(("the forwarder", "the owner behind it")):
        print_table(whose, {label: groups[i] for label, groups in counted.items()})
