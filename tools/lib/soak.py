"""tools/soak: full load on an echo server and on a node for a while; their resident memory over time.

Usage: soak.py MINUTES. Loads run in turn after turn, so that connections come and go. The echo server gets small unary calls
and large bodies from h2load, and from net_soak_client streams that are cancelled and connections that are closed under their
calls. The node gets stores of one memory and gets of another. A load that fails, or does too little, ends the soak.
"""

import datetime
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

TURN_SECONDS = 5
GROWTH_MAX = 1.1
REQUESTS_MIN = 100  # of each h2load in a turn
START_SECONDS = 20
SPACE, READ, WRITTEN = "soak", "read", "written"
TEXT = "x" * 200
REQUESTS = re.compile(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
DATA = re.compile(r"\((\d+)\) data$", re.MULTILINE)


class SoakError(Exception):
    """The soak failed; the message says why."""


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def framed(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def fields(*texts):
    """A protobuf message whose fields 1, 2, ... are these strings."""
    encoded = b""
    for number, text in enumerate(texts, 1):
        size = len(text)
        length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        encoded += bytes([number << 3 | 2]) + length + text.encode()
    return encoded


class H2load:
    """One load for one turn: `connections` times `in_flight` calls, each answered by at least `answer_bytes`."""

    def __init__(self, path, body, answer_bytes, connections, in_flight):
        self.path, self.body, self.answer_bytes = path, body, answer_bytes
        self.connections, self.in_flight = connections, in_flight

    def command(self, port, folder):
        body = folder / self.path.replace("/", "_")
        body.write_bytes(framed(self.body))
        return ["h2load", "-D", str(TURN_SECONDS), "-c", str(self.connections), "-m", str(self.in_flight), "-d", str(body),
                "-H", "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{port}{self.path}"]

    def done(self, said):
        """How many calls were made. Errors of gRPC are HTTP 200 too, but have no body."""
        requests, data = REQUESTS.search(said), DATA.search(said)
        if requests is None or data is None:
            raise SoakError(f"h2load said something else than before:\n{said}")
        total, done, succeeded, *lost = map(int, requests.groups())
        if succeeded < REQUESTS_MIN or succeeded != done or done != total or any(lost):
            raise SoakError(f"not all calls of {self.path} succeeded: {requests[0]}")
        if int(data[1]) < succeeded * self.answer_bytes:
            raise SoakError(f"{succeeded} answers of {self.path} have only {data[1]} bytes")
        return succeeded


class SoakClient:
    """net_soak_client, which compares the echoes itself."""

    path = "net_soak_client"

    def command(self, port, _):
        return ["build/bin/net_soak_client", str(port), str(TURN_SECONDS)]

    def done(self, said):
        return int(said.split()[0])


def begin(load, port, folder):
    return subprocess.Popen(load.command(port, folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(load, process):
    said, _ = process.communicate()
    if process.returncode != 0:
        raise SoakError(f"{load.path} ended with code {process.returncode}:\n{said}")
    return load.done(said)


class Server:
    """A process under load, with what it has done and its memory after each turn."""

    def __init__(self, name, process, port, loads):
        self.name, self.process, self.port, self.loads = name, process, port, loads
        self.samples, self.calls = [], 0

    def sample(self):
        self.samples.append(resident_kib(self.process.pid))

    def end(self):
        if self.process.stdin is not None:
            self.process.stdin.close()
        else:
            self.process.terminate()
        if (code := self.process.wait()) != 0:
            raise SoakError(f"the {self.name} ended with code {code}")

    def verdict(self):
        """Raises if memory has not stopped growing. The first tenth is warm-up."""
        samples = self.samples[len(self.samples) // 10:]
        third = len(samples) // 3
        if third == 0:
            raise SoakError("too short to tell")
        most, least = max(samples[:third]), min(samples[-third:])
        told = f"{self.name}: {self.calls} calls; {most} KiB at most in the first third, {least} KiB at least in the last"
        if least > most * GROWTH_MAX:
            raise SoakError(f"memory keeps growing: {told}")
        return told


def start_echo_server():
    process = subprocess.Popen(["build/bin/net_echo_server", "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return Server("echo server", process, int(process.stdout.readline()), [
        H2load("/test.Echo/Unary", b"x" * 256, 5 + 256, 16, 32),
        H2load("/test.Echo/Bidi", b"x" * 100_000, 5 + 100_000, 8, 4),
        SoakClient()])


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def start_node(folder):
    port = free_port()
    with open(folder / "node.log", "wb") as log:
        process = subprocess.Popen(["build/engram", "serve", "--node-id", "soak", "--data-dir", str(folder / "node"),
                                    "--listen", f"127.0.0.1:{port}", "--gossip", f"127.0.0.1:{free_port()}", "--http", "off",
                                    "--log-level", "warn"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    node = Server("node", process, port, [
        H2load("/engram.v1.MemoryService/Store", fields(SPACE, WRITTEN, TEXT), 5 + len(WRITTEN), 4, 8),
        H2load("/engram.v1.MemoryService/Get", fields(SPACE, READ), 5 + len(TEXT), 8, 16)])
    deadline = time.monotonic() + START_SECONDS
    store = ["build/engram", "store", "--node", f"127.0.0.1:{port}", "--space", SPACE, "--id", READ, TEXT]
    while (stored := subprocess.run(store, capture_output=True, check=False)).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SoakError(f"the node did not start:\n{(folder / 'node.log').read_text()}{stored.stderr.decode()}")
        time.sleep(0.05)
    return node


def run_turn(servers, folder):
    running = [(server, load, begin(load, server.port, folder)) for server in servers for load in server.loads]
    try:
        for server, load, process in running:
            server.calls += finish(load, process)
    finally:
        for _, _, process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
    for server in servers:
        server.sample()


def soak(servers, seconds, folder):
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        run_turn(servers, folder)
        print(f"{passed:7.0f} s  " + "  ".join(f"{s.name} {s.samples[-1]:>8} KiB" for s in servers), flush=True)
    for server in servers:
        server.end()
        print(server.verdict())


def main():
    print(f"{datetime.date.today()}, {os.cpu_count()} cores shared by clients and servers, load average "
          f"{os.getloadavg()[0]:.1f} before")
    servers = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            servers.append(start_echo_server())
            servers.append(start_node(folder))
            soak(servers, float(sys.argv[1]) * 60, folder)
        except SoakError as error:
            sys.exit(f"error: {error}")
        finally:
            for server in servers:
                server.process.kill()
                server.process.wait()
    print("memory does not keep growing")


if __name__ == "__main__":
    main()
