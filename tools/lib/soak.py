"""tools/soak: full load on an echo server for a while; its resident memory over time.

Usage: soak.py MINUTES. Two h2load processes run in turn after turn, so that connections come and go: small unary calls, and
large bodies; every turn some of the calls are cut off by h2load's end.
"""

import os
import subprocess
import sys
import tempfile
import time

SERVER = "build/bin/net_echo_server"
TURN_SECONDS = 5
GROWTH_MAX = 1.1
LOADS = [  # path, bytes of the message, connections, in flight on each
    ("/test.Echo/Unary", 256, 16, 32),
    ("/test.Echo/Bidi", 100_000, 8, 4),
]


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def begin_load(port, body, load):
    path, _, connections, in_flight = load
    return subprocess.Popen(
        ["h2load", "-D", str(TURN_SECONDS), "-c", str(connections), "-m", str(in_flight), "-d", body,
         "-H", "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{port}{path}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def verdict(samples):
    """None if memory has stopped growing, or what is wrong. The first tenth is warm-up."""
    samples = samples[len(samples) // 10:]
    third = len(samples) // 3
    if third == 0:
        return "too short to tell"
    most, least = max(samples[:third]), min(samples[-third:])
    if least > most * GROWTH_MAX:
        return f"memory keeps growing: at most {most} KiB in the first third, at least {least} KiB in the last"
    return None


def soak(seconds, bodies):
    samples = []
    with subprocess.Popen([SERVER, "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        port = int(server.stdout.readline())
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            for load in [begin_load(port, body, load) for body, load in zip(bodies, LOADS)]:
                load.wait()
            samples.append(resident_kib(server.pid))
            print(f"{time.monotonic() - begun:7.0f} s {samples[-1]:>9} KiB", flush=True)
        server.stdin.close()
    if server.returncode != 0:
        sys.exit(f"the server ended with code {server.returncode}")
    return samples


def main():
    with tempfile.TemporaryDirectory() as folder:
        bodies = []
        for path, size, _, _ in LOADS:
            bodies.append(os.path.join(folder, path.replace("/", "_")))
            with open(bodies[-1], "wb") as body:
                body.write(b"\0" + size.to_bytes(4, "big") + b"x" * size)
        samples = soak(float(sys.argv[1]) * 60, bodies)
    if (wrong := verdict(samples)) is not None:
        sys.exit(f"error: {wrong}")
    print("memory does not keep growing")


if __name__ == "__main__":
    main()
