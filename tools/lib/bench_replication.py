"""tools/bench replication: what copies cost a write, how far replicas are behind, and how fast one catches up.

Two clusters of three nodes run side by side on this machine, all with fsync: in one new spaces have a single holder, in the other
three. h2load stores memories of 256 bytes at the space's primary; every kind of write takes its turn in each round, so that what
else the machine does meets all alike. What was stored is counted afterwards: a write that failed fails the bench.

  writes    acknowledged by the primary, by a quorum, by all; 64 at once, and one at a time
  lag       while the primary takes half of what it can, writes that all holders have to confirm are made one at a time: how long
            they take is an upper bound for how far behind the slowest replica is
  catch-up  one replica is killed, so many memories are stored, it is started again: from its start to the first write that all
            confirm, and so to the last entry that it lacked
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent / "bench_wire"))

import grpc  # noqa: E402
from process import BenchError, Processes, free_port, run  # noqa: E402

ENGRAM = "build/engram"
CONTENT = " ".join(f"word{i:03}" for i in range(32))  # 255 bytes
STORE = "/engram.v1.MemoryService/Store"
PATIENCE_S = 60
CATCH_UP_PATIENCE_S = 900
CALL_S = 10
MANY, ONE = 64, 1


def framed(space):
    """A StoreRequest of `space` without an id, as gRPC sends it."""
    def field(number, text):
        size, length = len(text), b""
        while size >= 128:
            length, size = length + bytes([size % 128 | 128]), size // 128
        return bytes([number << 3 | 2]) + length + bytes([size]) + text.encode()

    message = field(1, space) + field(3, CONTENT)
    return struct.pack(">BI", 0, len(message)) + message


def engram(*arguments):
    return json.loads(run(ENGRAM, *arguments, "--json"))


def until(what, seconds, condition):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except BenchError:
            pass  # not yet
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Node:
    def __init__(self, cluster, name, copies, directory):
        self.name, self.log = f"{cluster}-{name}", f"{directory}/{cluster}-{name}.log"
        self.port, self.http, self.gossip = free_port(), free_port(), free_port()
        self.command = [ENGRAM, "serve", "--node-id", self.name, "--cluster", cluster, "--data-dir", f"{directory}/{self.name}",
                        "--listen", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}", "--gossip",
                        f"127.0.0.1:{self.gossip}", "--copies", str(copies), "--durability", "fsync"]
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, processes, seeds):
        self.process = processes.start([*self.command, *(f for seed in seeds for f in ("--seeds", seed))], self.log,
                                       ready_port=self.port)

    def kill(self):
        self.process.process.send_signal(signal.SIGKILL)
        self.process.process.wait()


class Cluster:
    def __init__(self, copies, processes, directory):
        self.copies, self.processes, self.directory = copies, processes, directory
        self.space, self.stored = "bench", 0
        self.nodes = [Node(f"copies{copies}", f"n{i}", copies, directory) for i in range(3)]
        for node in self.nodes:
            self.start(node)
        until("the nodes find each other", PATIENCE_S, lambda: all(
            [n["state"] for n in engram("nodes", "--node", node.address)["nodes"]] == ["alive"] * 3 for node in self.nodes))
        self.body = f"{directory}/store-{copies}"
        pathlib.Path(self.body).write_bytes(framed(self.space))
        run(ENGRAM, "store", "--node", self.nodes[0].address, "--space", self.space, CONTENT)
        self.stored = 1
        self.primary, self.replicas = until("the space has its holders", PATIENCE_S, self.holders)

    def start(self, node):
        node.start(self.processes, [n.address for n in self.nodes if n is not node and n.process is not None])

    def holders(self):
        route = engram("route", "--node", self.nodes[0].address, self.space)
        if not route["primary"]:
            return None
        ids = [route["primary"]["id"], *[r["id"] for r in route["replicas"]]]
        if len(ids) != self.copies:
            return None
        named = [next(n for n in self.nodes if n.name == i) for i in ids]
        return named[0], named[1:]

    def command(self, ack, in_flight, log, *how_many):
        return ["h2load", "-t", "1", "-c", "1", "-m", str(in_flight), "-d", self.body, "-H", "content-type: application/grpc",
                "-H", "te: trailers", "-H", f"engram-ack: {ack}", f"--log-file={log}", *how_many,
                f"http://{self.primary.address}{STORE}"]

    def store(self, ack, in_flight, requests):
        """{"rate", "micros"} of so many writes."""
        log = f"{self.directory}/h2load.log"
        pathlib.Path(log).unlink(missing_ok=True)
        out = run(*self.command(ack, in_flight, log, "-n", str(requests))).decode()
        self.stored += requests
        return {"rate": float(re.search(r"([\d.]+) req/s", out).group(1)), "micros": micros_of(log)}

    def check_acknowledged(self):
        """h2load knows HTTP/2's success, not the call's."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.primary.http}/metrics", timeout=PATIENCE_S) as page:
            outcomes = re.findall(r'^engram_routing_request_duration_seconds_count\{.*outcome="(\w+)".*\} (\S+)$', page.read().decode(),
                                  re.MULTILINE)
        failed = {outcome: count for outcome, count in outcomes if outcome != "ok" and float(count) > 0}
        if failed:
            raise BenchError(f"not all writes were acknowledged: {failed}")

    def check_stored(self):
        spaces = engram("spaces", "--node", self.primary.address)["spaces"]
        there = next(s["memories"] for s in spaces if s["name"] == self.space)
        if there != self.stored:
            raise BenchError(f"{self.stored} memories were stored with {self.copies} copies, {there} are there")


def micros_of(log):
    with open(log, encoding="ascii") as lines:
        return [int(line.split()[2]) for line in lines]


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def writes(clusters, rounds, requests):
    kinds = [(1, "primary"), (3, "primary"), (3, "quorum"), (3, "all")]
    found = {(kind, in_flight): {"rate": [], "micros": []} for kind in kinds for in_flight in (MANY, ONE)}
    for _ in range(rounds):
        for (kind, in_flight), row in found.items():
            one = clusters[kind[0]].store(kind[1], in_flight, requests if in_flight == MANY else requests // 20)
            row["rate"].append(one["rate"])
            row["micros"] += one["micros"]
    print("| copies | acknowledged by | writes/s, 64 at once | p50 ms | p99 ms | one at a time: p50 ms | p99 ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind in kinds:
        many, one = found[kind, MANY], found[kind, ONE]
        times = [quantile(row["micros"], q) / 1000 for row in (many, one) for q in (0.5, 0.99)]
        print(f"| {kind[0]} | {kind[1]} | {statistics.median(many['rate']):,.0f} | "
              + " | ".join(f"{t:.1f}" for t in times) + " |")
    return statistics.median(found[(3, "primary"), MANY]["rate"])


def lag(cluster, rate, seconds):
    requests = int(rate * seconds)
    load_log, probe_log = f"{cluster.directory}/load.log", f"{cluster.directory}/probe.log"
    load = subprocess.Popen(cluster.command("primary", MANY, load_log, "-n", str(requests), f"--rps={rate:.0f}"),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    micros = []
    try:
        while load.poll() is None:
            pathlib.Path(probe_log).unlink(missing_ok=True)
            run(*cluster.command("all", ONE, probe_log, "-n", "50"))
            cluster.stored += 50
            micros += micros_of(probe_log)
    finally:
        load.kill()
        load.wait()
    if len(micros_of(load_log)) != requests:
        raise BenchError("the load was not taken to its end")
    cluster.stored += requests
    print(f"\nAt {rate:,.0f} writes/s, half of what it takes, a write that all confirm needs {quantile(micros, 0.5) / 1000:.1f} ms (p50), "
          f"{quantile(micros, 0.99) / 1000:.1f} ms (p99) of {len(micros)}: no replica is further behind.")


def catch_up(cluster, entries):
    replica = cluster.replicas[0]
    replica.kill()
    cluster.store("primary", MANY, entries)
    begin = time.monotonic()
    cluster.start(replica)
    started = time.monotonic()
    channel = grpc.insecure_channel(cluster.primary.address)
    store = channel.unary_unary(STORE)

    def all_confirm():
        try:
            store(framed(cluster.space)[5:], metadata=(("engram-ack", "all"),), timeout=CALL_S)
            return True
        except grpc.RpcError:
            return False

    until("the replica catches up", CATCH_UP_PATIENCE_S, all_confirm)
    took = time.monotonic() - begin
    channel.close()
    print(f"\nA replica that lacked {entries:,} entries had them {took:.1f} s after it was started again, {started - begin:.1f} s of them "
          f"before it listened: {entries / took:,.0f} entries/s.")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench replication", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=10_000, help="writes of each kind and round, 64 at once")
    parser.add_argument("--seconds", type=int, default=20, help="of half load")
    parser.add_argument("--entries", type=int, default=100_000, help="that the replica misses")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="engram-bench-")
    try:
        with Processes() as processes:
            clusters = {copies: Cluster(copies, processes, directory) for copies in (1, 3)}
            most = writes(clusters, options.rounds, options.requests)
            lag(clusters[3], most / 2, options.seconds)
            for cluster in clusters.values():
                cluster.check_acknowledged()
                cluster.check_stored()
            catch_up(clusters[3], options.entries)
    except BenchError as error:
        sys.exit(f"error: {error}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
