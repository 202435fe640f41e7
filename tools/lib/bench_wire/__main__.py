"""tools/bench wire: our gRPC engine beside gRPC C++, nghttpx, haproxy and nginx, in one run, interleaved.

A get of one memory is asked of its owner and through one hop. Contenders take turns, load by load, in several rounds; medians
are printed. CPU is that of the processes measured, from /proc. Names for --only: engram, wire (our bare engine), grpc,
nghttpx, haproxy, nginx.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import sys
import tempfile

import instructions
import report
from contenders import NAMES, Comparison, Setting, find_programs
from load import GRPC_LOADS, H2LOAD_LOADS, Target, call
from process import BenchError, Processes, run

BODIES = (256, 16 << 10)
WARM_UP_REQUESTS = 500
EXIT_SKIPPED = 77


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tools/bench wire", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="[5, quick: 1]")
    parser.add_argument("--seconds", type=float, help="about, for one measurement [0.5, quick: 0.25]")
    parser.add_argument("--threads", type=int, default=1, help="of each server and pass-through [1]")
    parser.add_argument("--only", help="contenders, by commas")
    parser.add_argument("--body", type=int, action="append", help="bytes of the memory, may be repeated [256 and 16384]")
    parser.add_argument("--tls", action="store_true", help="also with TLS on every connection")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--quick", action="store_true", help="one short round, under 3 minutes")
    parser.add_argument("--smoke", action="store_true",
                        help=f"a few requests of everything, to see that it works; exits {EXIT_SKIPPED} when a program is missing")
    parser.add_argument("--instructions", action="store_true",
                        help="instead, where the instructions of a hop go: engram, wire and nghttpx under valgrind")
    parser.add_argument("--build", default="build", help="where the programs have been built [build]")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else []
    if unknown := set(options.only) - set(NAMES):
        parser.error(f"unknown contender {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    short = options.quick or options.smoke
    options.rounds = options.rounds or (1 if short else 5)
    options.seconds = options.seconds or (0 if options.smoke else 0.25 if short else 0.5)
    options.body = options.body or BODIES
    return options


def make_certificate(programs, directory):
    certificate, key = f"{directory}/certificate.pem", f"{directory}/key.pem"
    run(programs["openssl"], "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key)
    return certificate, key


class Bench:
    """Measures the contenders of one comparison under all loads, round by round."""

    def __init__(self, options, comparison):
        self.options, self.comparison = options, comparison
        self.results = report.Results(comparison.setting.body_bytes, comparison.setting.tls)
        self.requests = {}  # (contender, load) -> how many take about --seconds
        self.loads = H2LOAD_LOADS + (GRPC_LOADS if comparison.setting.body_bytes == min(options.body) else [])
        if comparison.setting.programs["grpc_load"] is None:
            self.loads = H2LOAD_LOADS

    def run(self):
        for _ in range(self.options.rounds):
            for load in self.loads:
                with self.pinned(load) as cores:
                    for contender in self.comparison.contenders:
                        self.results.add(contender, load, self.measure(contender, load, cores))
        return self.results

    def pinned(self, load):
        return Pinned(self.comparison.processes if load.pinned else None)

    def measure(self, contender, load, cores):
        if (contender, load) not in self.requests:
            warm_up = self.call(contender, load, WARM_UP_REQUESTS, cores)
            self.requests[contender, load] = max(WARM_UP_REQUESTS, int(warm_up["rate"] * self.options.seconds))
        requests = self.requests[contender, load]
        before = contender.front.cpu_seconds(), contender.owner.cpu_seconds()
        measured = self.call(contender, load, requests, cores)
        for key, process, start in zip(("front_cpu", "owner_cpu"), (contender.front, contender.owner), before):
            measured[key] = (process.cpu_seconds() - start) / requests * 1e6
        return measured

    def call(self, contender, load, requests, cores):
        comparison = self.comparison
        target = Target(contender.front.address, comparison.body, comparison.framed_body, comparison.setting.certificate)
        return call(load, target, requests, cores, comparison.setting.directory, comparison.setting.programs)


class Pinned:
    """While it lasts, all processes run on one core; its value is that core, for the client."""

    def __init__(self, processes):
        self.processes, self.cores = processes, os.sched_getaffinity(0)

    def pin(self, cores):
        for process in self.processes.all:
            process.pin(cores)
        return cores

    def __enter__(self):
        return self.pin({min(self.cores)}) if self.processes else None

    def __exit__(self, *_):
        if self.processes:
            self.pin(self.cores)


def version_of(path, *arguments):
    """The first version number that a program tells."""
    if path is None:
        return "missing"
    out = os.popen(f"{path} {' '.join(arguments)} 2>&1").read()
    found = re.search(r"\d+\.\d+[\w.+-]*", out)
    return found.group(0) if found else "?"


def conditions(options, programs):
    grpc = version_of("dpkg-query", "-W", "libgrpc++-dev")
    return {"date": datetime.date.today().isoformat(), "cores": os.cpu_count(), "machine": platform.machine(),
            "kernel": platform.release().split("-")[0], "load_before": round(os.getloadavg()[0], 1),
            "rounds": options.rounds, "seconds": options.seconds, "threads": options.threads,
            "versions": {"gRPC C++": grpc, "nghttpx": version_of(programs["nghttpx"], "--version"),
                         "haproxy": version_of(programs["haproxy"], "-v"), "nginx": version_of(programs["nginx"], "-v"),
                         "h2load": version_of(programs["h2load"], "--version")}}


def print_conditions(told):
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    print(f"{told['date']}, {told['cores']} cores shared by clients and servers, Linux {told['kernel']} {told['machine']}, load "
          f"average before {told['load_before']}; {told['rounds']} rounds of about {told['seconds']:g} s a measurement; "
          f"each server and pass-through with {told['threads']} thread(s); {versions}.")


def compare(options, programs, body_bytes, tls):
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as directory, Processes() as processes:
        certificate, key = make_certificate(programs, directory) if tls else (None, None)
        setting = Setting(body_bytes, tls, options.threads, pathlib.Path(directory), programs, certificate, key)
        return Bench(options, Comparison(setting, processes, options.only)).run()


def main():
    options = parse_arguments()
    programs = find_programs(options.build)
    missing = sorted(name for name, path in programs.items() if path is None)
    if missing and options.smoke:
        print(f"skipped, missing: {', '.join(missing)}")
        sys.exit(EXIT_SKIPPED)
    for needed in ("engram", "h2load", "nghttp", "our_server", "our_pass_through"):
        if programs[needed] is None:
            raise BenchError(f"{needed} is missing; tools/bench wire installs and builds it")
    told = conditions(options, programs)
    if options.instructions:
        instructions.print_instructions(programs, min(options.body))
        return
    print_conditions(told)
    comparisons = []
    for tls in (False, True) if options.tls else (False,):
        for body_bytes in options.body:
            comparisons.append(compare(options, programs, body_bytes, tls))
            report.print_results(comparisons[-1])
            sys.stdout.flush()
    smallest = [results for results in comparisons if results.body_bytes == min(options.body)]
    goals = [goal for results in smallest for goal in report.judge(results)]
    report.print_goals(goals)
    if options.json:
        document = {"conditions": told, "goals": goals, "comparisons": [results.to_json() for results in comparisons]}
        pathlib.Path(options.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


try:
    main()
except BenchError as error:
    sys.exit(f"error: {error}")
