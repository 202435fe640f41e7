"""tools/bench hop: a get of a 256-byte memory, at its owner and through another node, in one run with h2load.

Both ways are measured in turn, several times, and medians are printed: latency with one request in flight, and requests per
second with 64 in flight on 1, 4 and 64 connections. The entry node's CPU per request comes from /proc.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

ENGRAM = "build/engram"
METHOD = "/engram.v1.MemoryService/Get"
SPACE = "bench"
CONTENT = "x" * 256
LOADS = [(1, 1), (1, 64), (4, 16), (64, 1)]  # connections, in flight on each


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def get_request(space, memory_id):
    """The gRPC frame of a GetRequest: a prefix of five bytes, then fields 1 and 2."""
    fields = b"".join(bytes([tag, len(value)]) + value for tag, value in ((0x0A, space.encode()), (0x12, memory_id.encode())))
    return b"\0" + len(fields).to_bytes(4, "big") + fields


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def h2load(address, body, connections, in_flight, requests, log):
    """Requests per second, and each request's microseconds."""
    if os.path.exists(log):
        os.remove(log)
    out = run("h2load", "-n", str(requests), "-c", str(connections), "-m", str(in_flight), "-d", body,
              "-H", "content-type: application/grpc", "-H", "te: trailers", f"--log-file={log}", f"http://{address}{METHOD}")
    succeeded = int(re.search(r"(\d+) succeeded", out).group(1))
    if succeeded != requests:
        sys.exit(f"{requests - succeeded} of {requests} requests failed:\n{out}")
    with open(log, encoding="ascii") as lines:
        micros = sorted(int(line.split()[2]) for line in lines)
    return float(re.search(r"([\d.]+) req/s", out).group(1)), micros


def measure(way, address, pid, body, load, requests, log):
    connections, in_flight = load
    before = cpu_seconds(pid)
    rate, micros = h2load(address, body, connections, in_flight, requests, log)
    cpu = (cpu_seconds(pid) - before) / requests * 1e6
    return {"way": way, "rate": rate, "p50": micros[len(micros) // 2], "p99": micros[len(micros) * 99 // 100], "cpu": cpu}


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def print_table(results):
    print("| connections x in flight | way | p50 us | p99 us | requests/s | entry node's CPU us/request | of direct |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for load, rows in results.items():
        direct = median([r for r in rows if r["way"] == "direct"], "rate")
        for way in ("direct", "one hop"):
            mine = [r for r in rows if r["way"] == way]
            print(f"| {load[0]} x {load[1]} | {way} | {median(mine, 'p50'):.0f} | {median(mine, 'p99'):.0f} "
                  f"| {median(mine, 'rate'):.0f} | {median(mine, 'cpu'):.1f} | {median(mine, 'rate') / direct:.2f} |")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench hop", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, help="per measurement with 64 in flight [100000]")
    parser.add_argument("--rounds", type=int, default=5, help="[5]")
    parser.add_argument("--base-port", type=int, default=56051, help="[56051]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as directory:
        cluster = json.loads(run(ENGRAM, "up", "--nodes", "2", "--dir", directory + "/cluster", "--detach", "--json",
                                 "--base-port", str(options.base_port), "--durability", "process"))
        try:
            bench(cluster["nodes"], directory, options)
        finally:
            run(ENGRAM, "down", "--dir", directory + "/cluster")


def bench(nodes, directory, options):
    run(ENGRAM, "store", "--space", SPACE, "--id", "m", CONTENT, "--node", nodes[0]["address"])
    owner_id = json.loads(run(ENGRAM, "route", SPACE, "--json", "--node", nodes[0]["address"]))["primary"]["id"]
    owner = next(n for n in nodes if n["id"] == owner_id)
    other = next(n for n in nodes if n["id"] != owner_id)
    body = directory + "/body"
    with open(body, "wb") as file:
        file.write(get_request(SPACE, "m"))
    run(ENGRAM, "get", "--space", SPACE, "m", "--node", other["address"])  # the entry node learns the way
    results = {load: [] for load in LOADS}
    for _ in range(options.rounds):
        for load in LOADS:
            requests = options.requests if load[0] * load[1] > 1 else options.requests // 5
            for way, entry in (("direct", owner), ("one hop", other)):
                results[load].append(measure(way, entry["address"], entry["pid"], body, load, requests, directory + "/log"))
    print_table(results)


main()
