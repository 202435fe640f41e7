"""tools/bench cluster: local, remote and stale requests in a cluster of real processes.

Every node knows every space before anything is measured. Requests are made one after the other, of random nodes for random
spaces, by one Python client, whose own time is in every figure alike: compare rows, not with other benches.

  steady   gets while nothing moves
  stale    gets whose entry node holds an assignment that was true once: one redirect each
  moves    stores while spaces move from node to node (--moves a second), which nobody but the two nodes is told

Then one node is asked for all spaces of the others, 64 at once, with a true table and with a stale one: what that costs the node
that is asked, and all nodes together.
"""

import argparse
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent / "bench_wire"))

import grpc  # noqa: E402
from process import BenchError, Processes, free_port  # noqa: E402

CLUSTER = "bench"
TIMEOUT_S = 30
MEMORY = "m"
IN_FLIGHT = 64


def stubs(directory):
    """The message classes, generated from the published protos."""
    protos = [f"engram/v1/{name}.proto" for name in ("common", "memory", "spaces", "cluster", "error")]
    subprocess.run(["protoc", f"--python_out={directory}", "-Iproto", *protos, "engram/peer/v1/test.proto"], check=True)
    sys.path.insert(0, directory)
    from engram.peer.v1 import test_pb2
    from engram.v1 import cluster_pb2, common_pb2, memory_pb2, spaces_pb2
    return cluster_pb2, common_pb2, memory_pb2, spaces_pb2, test_pb2


class Node:
    cluster_id = ""  # of all; known when the first one runs

    def __init__(self, index, port, http, gossip):
        self.name, self.port, self.http, self.gossip, self.process = f"node-{index:02}", port, http, gossip, None
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def call(self, method, request, reply):
        call = self.channel.unary_unary(method, request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=reply.FromString)
        metadata = (("engram-cluster", Node.cluster_id),) if "TestService" in method else ()
        answer, done = call.with_call(request, timeout=TIMEOUT_S, metadata=metadata)
        return answer, dict(done.trailing_metadata()).get("engram-served-by")

    def begin(self, method, request, done):
        call = self.channel.unary_unary(method, request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=lambda answer: answer)
        call.future(request, timeout=TIMEOUT_S).add_done_callback(done)

    def counted(self):
        """(requests routed, those of them that were stale)"""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=TIMEOUT_S) as page:
            text = page.read().decode()
        requests = re.findall(r"^engram_routing_request_duration_seconds_count\{.*\} (\S+)$", text, re.MULTILINE)
        stale = re.findall(r"^engram_routing_stale_requests_total (\S+)$", text, re.MULTILINE)
        return sum(map(float, requests)), sum(map(float, stale))


class Cluster:
    def __init__(self, options, processes, directory):
        self.cluster_pb2, self.common, self.memory, self.spaces_pb2, self.test = stubs(directory)
        self.nodes = [Node(i, free_port(), free_port(), free_port()) for i in range(options.nodes)]
        for n in self.nodes:
            seeds = [] if n is self.nodes[0] else ["--seeds", f"127.0.0.1:{self.nodes[0].port}"]
            n.process = processes.start(
                ["build/engram", "serve", "--node-id", n.name, "--cluster", CLUSTER, "--data-dir",
                 f"{directory}/{n.name}", "--listen", f"127.0.0.1:{n.port}", "--http", f"127.0.0.1:{n.http}",
                 "--durability", "process", "--loops", "1", "--workers", "1", "--test-hooks", "on",
                 "--gossip", f"127.0.0.1:{n.gossip}", *seeds],
                f"{directory}/{n.name}.log", ready_port=n.port)
        self.await_whole()
        self.spaces = [f"bench-{i:04}" for i in range(options.spaces)]
        for i, space in enumerate(self.spaces):
            self.store(self.nodes[i % len(self.nodes)], space)
        for node in self.nodes:
            for space in self.spaces:
                self.get(node, space)
        listed, _ = self.nodes[0].call("/engram.v1.SpacesService/ListSpaces", self.spaces_pb2.ListSpacesRequest(),
                                       self.spaces_pb2.ListSpacesResponse)
        self.true = {s.name: s.assignment for s in listed.spaces}

    def await_whole(self):
        deadline = time.monotonic() + TIMEOUT_S
        for node in self.nodes:
            while True:
                status, _ = node.call("/engram.v1.ClusterService/GetStatus", self.cluster_pb2.GetStatusRequest(),
                                      self.cluster_pb2.GetStatusResponse)
                if status.reachable == len(self.nodes):
                    break
                if time.monotonic() > deadline:
                    raise BenchError(f"{node.name} has not found the others")
                time.sleep(0.05)
        Node.cluster_id = status.cluster_id

    def named(self, name):
        return next(n for n in self.nodes if n.name == name)

    def store(self, node, space):
        return node.call("/engram.v1.MemoryService/Store",
                         self.memory.StoreRequest(space=space, id=MEMORY, content="a memory of some words"),
                         self.memory.StoreResponse)[1]

    def get(self, node, space):
        return node.call("/engram.v1.MemoryService/Get", self.memory.GetRequest(space=space, id=MEMORY),
                         self.memory.GetResponse)[1]

    def install(self, node, assignments):
        node.call("/engram.peer.v1.TestService/InstallTable",
                  self.test.InstallTableRequest(assignments=assignments), self.test.InstallTableResponse)

    def once(self, space, primary):
        """An assignment of the space that is older than the true one."""
        old = self.common.Assignment()
        old.CopyFrom(self.true[space])
        old.primary = primary
        old.version.sequence = max(0, old.version.sequence - 1)
        return old

    def move(self, space, to):
        """The two nodes know; others find out."""
        before = self.true[space]
        after = self.common.Assignment(space=space, primary=to.name)
        after.version.epoch.counter = before.version.epoch.counter + 1
        after.version.epoch.primary = to.name
        after.version.sequence = 1
        to.call("/engram.peer.v1.TestService/Hold", self.test.HoldRequest(assignment=after), self.test.HoldResponse)
        self.true[space] = after
        giver = self.named(before.primary)
        self.install(giver, list(self.true.values()))
        giver.call("/engram.peer.v1.TestService/Drop", self.test.DropRequest(space=space), self.test.DropResponse)

    def counted(self):
        totals = [n.counted() for n in self.nodes]
        return sum(t[0] for t in totals), sum(t[1] for t in totals)


class Row:
    def __init__(self, name):
        self.name, self.us = name, []

    def quantile(self, q):
        ordered = sorted(self.us)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")

    def __str__(self):
        return f"| {self.name} | {len(self.us)} | {self.quantile(0.5):.0f} | {self.quantile(0.99):.0f} |"


def timed(row, action, *arguments):
    start = time.perf_counter()
    served_by = action(*arguments)
    row.us.append((time.perf_counter() - start) * 1e6)
    return served_by


def steady(cluster, requests, choice):
    local, remote = Row("local"), Row("remote, one hop")
    before = cluster.counted()
    for _ in range(requests):
        entry, space = choice.choice(cluster.nodes), choice.choice(cluster.spaces)
        is_local = cluster.true[space].primary == entry.name
        timed(local if is_local else remote, cluster.get, entry, space)
    after = cluster.counted()
    share = len(local.us) / requests
    rate = (after[1] - before[1]) / (after[0] - before[0])
    return [local, remote], f"local share {share:.1%}; stale rate in steady state {rate:.3%} of {requests} requests"


def make_stale(cluster, entry, choice):
    """What the entry node knows of the spaces of the others is a third node. Returns those spaces."""
    remote = [s for s in cluster.spaces if cluster.true[s].primary != entry.name]
    others = {s: [n.name for n in cluster.nodes if n.name not in (entry.name, cluster.true[s].primary)] for s in remote}
    cluster.install(entry, [cluster.once(s, choice.choice(others[s])) for s in remote])
    choice.shuffle(remote)
    return remote


def stale(cluster, requests, choice):
    row = Row("stale, one redirect")
    while len(row.us) < requests:
        entry = choice.choice(cluster.nodes)
        remote = make_stale(cluster, entry, choice)
        for space in remote[: requests - len(row.us)]:
            timed(row, cluster.get, entry, space)
    return row


class Costs:
    """Of many gets through one node, 64 at once."""

    def __init__(self, name):
        self.name, self.requests, self.stale, self.seconds, self.entry_us, self.all_us = name, 0, 0, 0, 0, 0

    def add(self, cluster, entry, spaces):
        failed = []
        free, left = threading.Semaphore(IN_FLIGHT), threading.Semaphore(0)

        def done(call):
            if call.exception() is not None:
                failed.append(call.exception())
            free.release()
            left.release()

        stale_before = entry.counted()[1]
        before = {n.name: n.process.cpu_seconds() for n in cluster.nodes}
        start = time.perf_counter()
        for space in spaces:
            free.acquire()
            entry.begin("/engram.v1.MemoryService/Get", cluster.memory.GetRequest(space=space, id=MEMORY), done)
        for _ in spaces:
            left.acquire()
        self.seconds += time.perf_counter() - start
        if failed:
            raise failed[0]
        spent = {n.name: 1e6 * (n.process.cpu_seconds() - before[n.name]) for n in cluster.nodes}
        self.requests += len(spaces)
        self.stale += entry.counted()[1] - stale_before
        self.entry_us += spent[entry.name]
        self.all_us += sum(spent.values())

    def __str__(self):
        return (f"| {self.name} | {self.requests} | {self.stale / self.requests:.1%} | {self.requests / self.seconds:,.0f} | {self.entry_us / self.requests:.1f} | "
                f"{self.all_us / self.requests:.1f} |")


def many_at_once(cluster, requests, choice):
    """Passes with a true and with a stale table in turn."""
    entry = cluster.nodes[0]
    hop, redirected = Costs("remote, one hop"), Costs("stale, one redirect")
    for node in cluster.nodes:
        cluster.install(node, list(cluster.true.values()))  # others were made stale before
    while redirected.requests < requests:
        redirected.add(cluster, entry, make_stale(cluster, entry, choice))
        hop.add(cluster, entry, [s for s in cluster.spaces if cluster.true[s].primary != entry.name])
    return [hop, redirected]


def moving(cluster, seconds, moves_a_second, choice):
    row = Row(f"any, {moves_a_second} moves/s")
    done = threading.Event()
    moved = []

    def move_about():
        mover = random.Random(choice.random())
        while not done.wait(1 / moves_a_second):
            space = mover.choice(cluster.spaces)
            to = mover.choice([n for n in cluster.nodes if n.name != cluster.true[space].primary])
            cluster.move(space, to)
            moved.append(space)

    thread = threading.Thread(target=move_about)
    before = cluster.counted()
    thread.start()
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            timed(row, cluster.store, choice.choice(cluster.nodes), choice.choice(cluster.spaces))
    finally:
        done.set()
        thread.join()
    after = cluster.counted()
    rate = (after[1] - before[1]) / (after[0] - before[0])
    return row, f"{len(moved)} moves: stale rate {rate:.2%}, no request failed"


def main():
    parser = argparse.ArgumentParser(prog="tools/bench cluster", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--spaces", type=int, default=200)
    parser.add_argument("--requests", type=int, default=20_000, help="gets while nothing moves; a tenth of it stale")
    parser.add_argument("--seconds", type=float, default=20, help="how long spaces move")
    parser.add_argument("--moves", type=float, default=20, help="moves a second")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    if options.nodes < 3:
        parser.error("--nodes must be at least 3: a stale assignment names a third node")
    choice = random.Random(options.seed)
    directory = tempfile.mkdtemp(prefix="engram-bench-")
    try:
        with Processes() as processes:
            cluster = Cluster(options, processes, directory)
            print(f"{options.nodes} nodes, {options.spaces} spaces, seed {options.seed}\n")
            rows, steadily = steady(cluster, options.requests, choice)
            rows.append(stale(cluster, options.requests // 10, choice))
            at_once = many_at_once(cluster, options.requests, choice)
            row, moved = moving(cluster, options.seconds, options.moves, choice)
            print("| requests | made | p50 us | p99 us |\n| --- | --- | --- | --- |")
            print(*rows, row, sep="\n")
            print(f"\n{steadily}\n{moved}\n")
            print(f"| {IN_FLIGHT} at once | made | found stale | requests/s | CPU us/request: the node asked | all nodes |")
            print("| --- | --- | --- | --- | --- | --- |", *at_once, sep="\n")
    except (BenchError, grpc.RpcError) as error:
        sys.exit(f"error: {error}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
