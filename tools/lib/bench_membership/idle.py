"""What real nodes that nobody asks for anything send each other and use."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bench_wire"))

from process import free_port  # noqa: E402

START_SECONDS = 30
STOP_SECONDS = 20
SUBNET = "10.77.0"


class IdleError(Exception):
    """What went wrong, for a person."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise IdleError(f"{' '.join(command)}: {done.stderr.strip()}")


class Loopback:
    """All nodes on 127.0.0.1; nobody counts what each of them sends."""

    counts_bytes = False

    def place(self, _index):
        return "127.0.0.1", (free_port(), free_port(), free_port()), []


class Namespaces:
    """A network namespace for each node, joined by a bridge in that of the bench; all vanish with the processes inside."""

    counts_bytes = True

    def __init__(self, stack):
        self.stack = stack
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "bench0", "type", "bridge")
        run("ip", "address", "add", f"{SUBNET}.254/24", "dev", "bench0")
        run("ip", "link", "set", "bench0", "up")

    def place(self, index):
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        self.stack.callback(lambda: (holder.kill(), holder.wait()))
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{holder.pid}/ns/net") == own:
            time.sleep(0.01)
        address = f"{SUBNET}.{index + 1}"
        run("ip", "link", "add", f"bench{index + 1}", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        run("ip", "link", "set", f"bench{index + 1}", "master", "bench0", "up")
        inside = ["nsenter", "--target", str(holder.pid), "--net"]
        run(*inside, "ip", "link", "set", "lo", "up")
        run(*inside, "ip", "address", "add", f"{address}/24", "dev", "eth0")
        run(*inside, "ip", "link", "set", "eth0", "up")
        return address, (50051, 7432, 7946), inside


class Node:
    def __init__(self, index, network, seed, directory):
        host, (port, self.http, gossip), inside = network.place(index)
        self.name, self.host, self.address = f"node-{index + 1}", host, f"{host}:{port}"
        self.log = pathlib.Path(directory, f"{self.name}.log")
        command = [*inside, "build/engram", "serve", "--node-id", self.name, "--cluster", "bench", "--data-dir",
                   f"{directory}/{self.name}", "--listen", self.address, "--http", f"{host}:{self.http}",
                   "--gossip", f"{host}:{gossip}", *(["--seeds", seed] if seed else [])]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def metric(self, name):
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.http}/metrics", timeout=5) as page:
                found = re.search(rf"^{name} (\S+)$", page.read().decode(), re.MULTILINE)
        except OSError:
            return None
        return float(found[1]) if found else None

    def await_reachable(self, count):
        deadline = time.monotonic() + START_SECONDS
        while self.metric("engram_members_reachable") != count:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise IdleError(f"{self.name} has not found the others:\n{self.log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.1)

    def cpu_seconds(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def device(self):
        """(bytes received, bytes sent) by its device, whole Ethernet frames."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/net/dev").read_text()
        fields = re.search(r"eth0:(.*)", lines)[1].split()
        return int(fields[0]), int(fields[8])

    def reading(self, counts_bytes):
        return [self.cpu_seconds(), *(self.device() if counts_bytes else (0, 0))]


def rows_of(nodes, network, seconds, settle):
    for node in nodes:
        node.await_reachable(len(nodes))
    time.sleep(settle)  # what a start costs is over by then
    begun = time.monotonic()
    before = [node.reading(network.counts_bytes) for node in nodes]
    time.sleep(seconds)
    after = [node.reading(network.counts_bytes) for node in nodes]
    length = time.monotonic() - begun
    for node, old, new in zip(nodes, before, after):
        cpu, received, sent = ((b - a) / length for a, b in zip(old, new))
        bytes_cells = f"{sent:.0f} | {received:.0f}" if network.counts_bytes else "- | -"
        yield f"| {node.name} | {bytes_cells} | {100 * cpu:.2f} % | {node.resident_mib():.1f} |"


def in_namespace():
    """This process has a network namespace of its own from now on; False where that takes rights that it does not have."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "unshare"))):
        return False
    import ctypes
    clone_newnet = 0x40000000
    return ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) == 0


def real_table(count, seconds, settle):
    with contextlib.ExitStack() as stack:
        directory = tempfile.mkdtemp(prefix="engram-bench-")
        stack.callback(lambda: shutil.rmtree(directory, ignore_errors=True))
        network = Namespaces(stack) if in_namespace() else Loopback()
        nodes = []
        for index in range(count):
            nodes.append(Node(index, network, nodes[0].address if nodes else None, directory))
            stack.callback(nodes[-1].stop)
        rows = list(rows_of(nodes, network, seconds, settle))
    note = "" if network.counts_bytes else "\n\nBytes are counted as root only, with a network namespace for each node."
    heads = "| idle node, real | bytes/s sent | bytes/s received | CPU of a core | resident, MiB |\n| --- | --- | --- | --- | --- |"
    return "\n".join([heads, *rows]) + note
