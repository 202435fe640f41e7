"""tools/bench connections: resident memory of an echo server (plain HTTP/2, one loop) per idle connection.

Each connection is measured after the exchange of SETTINGS, and again after one call of 5 bytes. Another connection is asked
while all are open, and what it waited for its answer is printed.
"""

import argparse
import resource
import socket
import struct
import subprocess
import sys
import time

SERVER = "build/bin/net_echo_server"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, ACK, END_HEADERS = 1, 1, 4
SPARE_DESCRIPTORS = 200


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def header(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


CALL = frame(HEADERS, END_HEADERS, 1, b"".join(header(*pair) for pair in (
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/test.Echo/Unary"), (b":authority", b"x"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers")))) + frame(DATA, END_STREAM, 1, b"\0\0\0\0\5hello")


def receive(peer, size):
    data = b""
    while len(data) < size:
        chunk = peer.recv(size - len(data))
        if not chunk:
            sys.exit("the server closed a connection")
        data += chunk
    return data


def await_frame(peer, kind, flags):
    """Skips frames up to one of that kind that has these flags."""
    while True:
        head = receive(peer, 9)
        receive(peer, int.from_bytes(head[:3], "big"))
        if head[3] == kind and head[4] & flags == flags:
            return


def connect(port):
    peer = socket.create_connection(("127.0.0.1", port), timeout=30)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(PREFACE + frame(SETTINGS, 0, 0))
    await_frame(peer, SETTINGS, 0)
    peer.sendall(frame(SETTINGS, ACK, 0))
    await_frame(peer, SETTINGS, ACK)
    return peer


def call(peer):
    peer.sendall(CALL)
    await_frame(peer, HEADERS, END_STREAM)


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def measure(count):
    with subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        port = int(server.stdout.readline())
        call(connect(port))
        before = resident_bytes(server.pid)
        peers = [connect(port) for _ in range(count)]
        settled = (resident_bytes(server.pid) - before) / count
        for peer in peers:
            call(peer)
        used = (resident_bytes(server.pid) - before) / count
        other = connect(port)
        begun = time.monotonic()
        call(other)
        waited = time.monotonic() - begun
        for peer in peers:
            peer.close()
        server.stdin.close()
    print(f"{count:>12,} | {settled / 1024:>14.1f} | {used / 1024:>14.1f} | {waited * 1e6:>10.0f}")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench connections", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="*", default=[1000, 10000], metavar="N")
    counts = parser.parse_args().counts
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if max(counts) + SPARE_DESCRIPTORS > hard:
        sys.exit(f"a process may open {hard} files here; {max(counts)} connections need more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(counts) + SPARE_DESCRIPTORS, hard))
    print(f"{'connections':>12} | {'KiB, settled':>14} | {'KiB, used once':>14} | {'answer, us':>10}")
    for count in counts:
        measure(count)


if __name__ == "__main__":
    main()
