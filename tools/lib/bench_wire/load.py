"""Load generators: h2load, and a gRPC C++ client. Both send unary calls and tell requests/s, p50 and p99 in microseconds."""

import dataclasses
import json
import os
import re

from process import BenchError, run

METHOD = "/engram.v1.MemoryService/Get"


@dataclasses.dataclass(frozen=True)
class Load:
    client: str  # "h2load" or "gRPC C++"
    connections: int
    streams: int  # in flight on each connection
    pinned: bool = False  # every process on one core

    @property
    def in_flight(self):
        return self.connections * self.streams

    def __str__(self):
        pinned = ", one core" if self.pinned else ""
        return f"{self.connections} x {self.streams}{pinned}"


H2LOAD_LOADS = [Load("h2load", 1, 1, pinned=True), Load("h2load", 1, 1), Load("h2load", 1, 64), Load("h2load", 4, 16),
                Load("h2load", 64, 1)]
GRPC_LOADS = [Load("gRPC C++", 1, 1, pinned=True), Load("gRPC C++", 1, 64), Load("gRPC C++", 64, 1)]


@dataclasses.dataclass(frozen=True)
class Target:
    """What is called, and with what."""
    address: str
    body: str  # file with the request's message
    framed_body: str  # the same with gRPC's prefix of five bytes
    certificate: str  # PEM; None: no TLS


def pinned_to(cores):
    return (lambda: os.sched_setaffinity(0, cores)) if cores else None


def call(load, target, requests, cores, directory, programs):
    """Measures one load: {"rate", "p50", "p99"}. `cores`: where the client must run, None: anywhere."""
    generate = h2load if load.client == "h2load" else grpc_load
    return generate(load, target, requests, pinned_to(cores), directory, programs)


def h2load(load, target, requests, prepare, directory, programs):
    log = f"{directory}/h2load.log"
    if os.path.exists(log):
        os.remove(log)
    scheme = "https" if target.certificate else "http"
    out = run(programs["h2load"], "-t", "1", "-n", str(requests), "-c", str(load.connections), "-m", str(load.streams),
              "-d", target.framed_body, "-H", "content-type: application/grpc", "-H", "te: trailers",
              f"--log-file={log}", f"{scheme}://{target.address}{METHOD}", preexec_fn=prepare).decode()
    succeeded = int(re.search(r"(\d+) succeeded", out).group(1))
    if succeeded != requests:
        raise BenchError(f"{requests - succeeded} of {requests} requests to {target.address} failed:\n{out}")
    with open(log, encoding="ascii") as lines:
        micros = sorted(int(line.split()[2]) for line in lines)
    return {"rate": float(re.search(r"([\d.]+) req/s", out).group(1)), "p50": micros[len(micros) // 2],
            "p99": micros[len(micros) * 99 // 100]}


def grpc_load(load, target, requests, prepare, _, programs):
    tls = ["--certificate", target.certificate] if target.certificate else []
    return json.loads(run(programs["grpc_load"], "--to", target.address, "--body", target.body, "--connections",
                          str(load.connections), "--in-flight", str(load.in_flight), "--requests", str(requests), *tls,
                          preexec_fn=prepare))
