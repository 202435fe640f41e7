#!/usr/bin/python3
"""Writes what the fuzzers are fed first into tests/fuzz/corpus/: well-formed requests and replies, and known attacks.

Usage: make_corpus.py

The first bytes of a real gRPC client are recorded where Python has the grpc module, and kept otherwise. Nothing else in
the corpus is touched: what a fuzzer found may be added by hand.
"""

import base64
import gzip
import pathlib
import socket
import struct
import threading

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 1, 1, 4, 8, 32

# The first byte of a connection's input; see Mode in fed_socket.h.
POLITE, NEVER_READS, BYTE_WISE, NINE_WISE = 1, 2, 1 << 2, 2 << 2


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def length(n):
    if n < 127:
        return bytes([n])
    out, n = [127], n - 127
    while n >= 128:
        out, n = out + [n % 128 | 128], n // 128
    return bytes(out + [n])


def header(name, value, kind=0):
    """A literal: 0 without indexing, 0x40 that enters the table."""
    name, value = (x if isinstance(x, bytes) else x.encode() for x in (name, value))
    return bytes([kind]) + length(len(name)) + name + length(len(value)) + value


def headers(*pairs, kind=0):
    return b"".join(header(name, value, kind) for name, value in pairs)


def request_block(method, *more, kind=0):
    return headers((":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "x"),
                   ("content-type", "application/grpc"), ("te", "trailers"), *more, kind=kind)


def message(body=b"x", compressed=0):
    return bytes([compressed]) + struct.pack(">I", len(body)) + body


def call(stream, method, *bodies, more=(), end=END_STREAM):
    out = frame(HEADERS, END_HEADERS, stream, request_block(method, *more))
    for i, body in enumerate(bodies):
        out += frame(DATA, end if i + 1 == len(bodies) else 0, stream, body)
    return out


UNARY, BIDI = "/test.Echo/Unary", "/test.Echo/Bidi"


def server_inputs():
    settings = frame(SETTINGS, ACK, 0)
    block = request_block(UNARY)
    polite = {
        "unary": call(1, UNARY, message(b"hello")),
        "unary_indexed": b"".join(frame(HEADERS, END_HEADERS, s, request_block(UNARY, kind=0x40)) +
                                  frame(DATA, END_STREAM, s, message()) for s in (1, 3)),
        "unary_metadata": call(1, UNARY, message(), more=[("echo", "text"), ("echo-bin", "AP8Q,AA=="), ("grpc-timeout", "1S")]),
        "unary_fails": call(1, UNARY, message(), more=[("fail", "100 %")]),
        "unary_expires": call(1, UNARY, message(), more=[("hang", "1"), ("grpc-timeout", "1n")]),
        "unary_hangs_reset": call(1, UNARY, message(), more=[("hang", "1")]) + frame(RST, 0, 1, struct.pack(">I", 8)),
        "unary_twice": call(1, UNARY, message() + message()),
        "unary_cut": call(1, UNARY, message(b"whole")[:7]),
        "unary_compressed": call(1, UNARY, message(b"zip", 1), more=[("grpc-encoding", "gzip")]),
        "unary_gzip": call(1, UNARY, message(gzip.compress(b"zip" * 100, mtime=0), 1), more=[("grpc-encoding", "gzip")]),
        "bidi_gzip": call(1, BIDI, message(gzip.compress(b"zip" * 100, mtime=0), 1) + message(),
                          more=[("grpc-encoding", "gzip")]),
        "unary_none": call(1, UNARY, b""),
        "unknown": call(1, "/test.Echo/Nothing", message()),
        "too_large": call(1, UNARY, b"\0\xff\xff\xff\xff"),
        "bidi": call(1, BIDI, message(b"one"), message(b"two") + message(b""), message(b"y" * 500)),
        "bidi_many": call(1, BIDI, message() * 100),
        "bidi_trailers": call(1, BIDI, message(), end=0) +
                         frame(HEADERS, END_HEADERS | END_STREAM, 1, header("x", "y")),
        "padded": frame(HEADERS, END_HEADERS | PADDED | PRIORITY_FLAG, 1, b"\x03\0\0\0\0\x10" + block + b"\0\0\0") +
                  frame(DATA, END_STREAM | PADDED, 1, b"\x02" + message() + b"\0\0"),
        "continuation": frame(HEADERS, 0, 1, block[:20]) + frame(CONTINUATION, 0, 1, block[20:50]) +
                        frame(CONTINUATION, END_HEADERS, 1, block[50:]) + frame(DATA, END_STREAM, 1, message()),
        "continuation_flood": frame(HEADERS, 0, 1, block) + frame(CONTINUATION, 0, 1) * 60,
        "rapid_reset": b"".join(frame(HEADERS, END_HEADERS, s, block) + frame(RST, 0, s, b"\0\0\0\x08")
                                for s in range(1, 50, 2)),
        "made_you_reset": b"".join(frame(HEADERS, END_HEADERS, s, block) + frame(WINDOW, 0, s, b"\x7f\xff\xff\xff")
                                   for s in range(1, 50, 2)),
        "ping_flood": frame(PING, 0, 0, b"p" * 8) * 60,
        "settings": frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0\0\x01\0\0\0\0") + settings + call(1, BIDI, message(b"z" * 200)) +
                    frame(SETTINGS, 0, 0, b"\0\x04\0\0\x10\0") + frame(WINDOW, 0, 1, b"\0\0\0\x05"),
        "window_drip": frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0") + call(1, BIDI, message(b"z" * 50)) +
                       frame(WINDOW, 0, 1, b"\0\0\0\x01") * 20,
        "goaway": call(1, BIDI, message(), end=0) + frame(GOAWAY, 0, 0, b"\0" * 8),
        "idle_stream": frame(DATA, 0, 7, message()),
        "empty_data": call(1, BIDI, *[b""] * 60, end=0),
        "table_size": frame(HEADERS, END_HEADERS, 1, b"\x20\x3f\xe1\x1f" + block) + frame(DATA, END_STREAM, 1, message()),
        "streams": b"".join(call(s, BIDI, message()[:3], end=0) for s in range(1, 60, 2)),
        "header_flood": frame(HEADERS, END_HEADERS | END_STREAM, 1, request_block(UNARY, *[("x", "y" * 300)] * 10)),
    }
    for name, content in polite.items():
        yield name, bytes([POLITE]) + content
    yield "byte_wise", bytes([POLITE | BYTE_WISE]) + polite["unary"]
    yield "nine_wise", bytes([POLITE | NINE_WISE]) + polite["bidi"]
    yield "never_reads", bytes([POLITE | NEVER_READS]) + polite["bidi_many"] * 3
    yield "from_the_first_byte", b"\0" + PREFACE + frame(SETTINGS, 0, 0) + polite["unary"]
    yield "http1", b"\0GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "tls", b"\0\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(32))


def client_inputs():
    ok = headers((":status", "200"), ("content-type", "application/grpc"))
    end = frame(HEADERS, END_HEADERS | END_STREAM, 1, header("grpc-status", "0"))
    details = base64.b64encode(b"\x08\x05\x12\x01x").decode()
    polite = {
        "answer": frame(HEADERS, END_HEADERS, 1, ok) + frame(DATA, 0, 1, message(b"reply")) + end,
        "stream": frame(HEADERS, END_HEADERS, 3, ok) + frame(DATA, 0, 3, message(b"a") + message(b"b")) +
                  frame(HEADERS, END_HEADERS | END_STREAM, 3, headers(("grpc-status", "0"), ("t-bin", "AAA"))),
        "trailers_only": frame(HEADERS, END_HEADERS | END_STREAM, 1,
                               ok + headers(("grpc-status", "5"), ("grpc-message", "not%20here"),
                                            ("grpc-status-details-bin", details))),
        "interim": frame(HEADERS, END_HEADERS, 1, header(":status", "103")) + frame(HEADERS, END_HEADERS, 1, ok) +
                   frame(DATA, 0, 1, message()) + end,
        "http_error": frame(HEADERS, END_HEADERS, 1, header(":status", "502")) + frame(DATA, END_STREAM, 1, b"<html>"),
        "no_status": frame(HEADERS, END_HEADERS, 1, ok) + frame(DATA, END_STREAM, 1, message()),
        "refused": frame(RST, 0, 1, b"\0\0\0\x07") + frame(RST, 0, 3, b"\0\0\0\x0b"),
        "goaway": frame(GOAWAY, 0, 0, b"\0\0\0\x01\0\0\0\0") + frame(HEADERS, END_HEADERS, 1, ok) + end,
        "push": frame(PUSH, END_HEADERS, 1, b"\0\0\0\x02" + request_block(UNARY)),
        "too_large": frame(HEADERS, END_HEADERS, 1, ok) + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"),
        "header_flood": frame(HEADERS, END_HEADERS | END_STREAM, 1, ok + header("x", "y" * 300) * 10),
        "zero_window": frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0") + frame(WINDOW, 0, 1, b"\0\0\0\x01") * 5,
        "zero_streams": frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\0") + frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x05"),
        "ping": frame(PING, 0, 0, b"p" * 8) * 3,
    }
    for name, content in polite.items():
        yield name, bytes([POLITE]) + content
    yield "byte_wise", bytes([POLITE | BYTE_WISE]) + polite["answer"] + polite["stream"]
    yield "http1", b"\0HTTP/1.1 400 Bad Request\r\n\r\n"


def heads_inputs():
    request = (":method: POST\n:path: /m\ncontent-type: application/grpc+proto\nte: trailers\ngrpc-timeout: 5S\n"
               "a: b\nc-bin: AAE,Ag==\n")
    yield "request", request.encode()
    yield "get", b":method: GET\n:path: /m\n"
    yield "html", b":method: POST\n:path: /m\ncontent-type: text/html\n"
    yield "bad_timeout", request.replace("5S", "999999999H").encode()
    yield "many", (request + "x: y\n" * 300).encode()
    yield "reply", (b":status: 200\ncontent-type: application/grpc\nh: i\n\ngrpc-status: 0\ngrpc-message: a%20b\n"
                    b"grpc-status-details-bin: CAUSAXg\nt-bin: AA\n\n")
    yield "interim", b":status: 103\n\n:status: 503\n\n"


def wire_text_inputs():
    for i, text in enumerate(["1S", "99999999H", "0n", "123456789u", "5", "S", "-1m", "%20%zz%", "100 %", "AAE=", "AAE", "AA=A,",
                              "\u00fc\n", "AP8Q,AA=="]):
        yield f"text_{i:02}", text.encode()


def message_reader_inputs():
    yield "one", b"\0" + message(b"hello")
    yield "several", b"\4" + message(b"") + message(b"a" * 300) + message(b"b")[:-1]
    yield "too_large", b"\0\0\xff\xff\xff\xff"
    yield "compressed", b"\0" + message(b"x", 1)


def status_inputs():
    detail = b"\x0a\x03abc"
    any_of_it = b"\x0a\x2ctype.googleapis.com/engram.v1.ErrorDetail   \x12" + bytes([len(detail)]) + detail
    any_of_it = any_of_it.replace(b"\x2c", bytes([any_of_it.index(b"\x12") - 2]), 1)
    yield "empty", b"\5"
    yield "plain", b"\5\x08\x05\x12\x01x"
    yield "detail", b"\x0e\x08\x0e\x12\x01x\x1a" + bytes([len(any_of_it)]) + any_of_it
    yield "ok", b"\0"
    yield "undefined", b"\x63\x08\x63"


def peek_inputs():
    yield "get", b"\x0a\x05notes\x12\x03tea"
    yield "twice", b"\x0a\x01a\x0a\x01b"
    yield "group", b"\x1b\x08\x01\x1c\x0a\x01a"
    yield "long_varint", b"\x0a\xff\xff\xff\xff\x0f"
    yield "fixed", b"\x1d\0\0\0\0\x21\0\0\0\0\0\0\0\0\x0a\x01a"


def text(value):
    return length_varint(len(value)) + value.encode()


def length_varint(n):
    out = b""
    while n >= 128:
        out, n = out + bytes([n % 128 | 128]), n // 128
    return out + bytes([n])


def datagram_inputs():
    def info(node):
        return text(node + ":7946") + text(node + ":50051") + text("zone") + text("rack")

    def update(state, node, incarnation, with_info=False, accusers=()):
        out = bytes([state | (4 if with_info else 0)]) + text(node) + length_varint(incarnation)
        out += info(node) if with_info else b""
        return out + (bytes([len(accusers)]) + b"".join(map(text, accusers)) if state == 1 else b"")

    def piece(body, passes=2, sealed=1):
        return struct.pack(">HB", len(body), sealed | passes << 1) + body

    alive, suspect, dead, left = range(4)
    ping, ack, ping_request, nack, gossip, full_state = (bytes([kind]) for kind in range(1, 7))
    me, everybody = text("me"), [("a", 2), ("b", 3), ("new", 1)]
    news = b"".join(update(alive, node, incarnation, True) for node, incarnation in everybody)
    yield "ping", piece(text("a") + ping + b"\x05" + me)
    yield "ack", piece(text("b") + ack + b"\x05", 7)
    yield "ping_request", piece(text("a") + ping_request + b"\x05" + text("b") + b"\x90\x03", 7)
    yield "nack", piece(text("a") + nack + b"\x05", 7)
    yield "joined", piece(text("a") + gossip + news)
    yield "accused", piece(text("a") + gossip + update(suspect, "me", 5, accusers=("a", "b"))) * 3
    yield "suspect_dies", piece(text("a") + gossip + update(suspect, "c", 0, accusers=("a", "b", "x")), 7) * 4
    yield "dead_comes_back", (piece(text("a") + gossip + update(dead, "c", 0)) +
                              piece(text("c") + ping + b"\x01" + me + update(alive, "c", 1, True)))
    yield "left", piece(text("b") + gossip + update(left, "b", 0)) + piece(text("b") + ping + b"\x01" + me)
    yield "full_state", piece(text("a") + full_state + news + update(dead, "c", 9, True))
    yield "largest_incarnation", piece(text("a") + gossip + update(dead, "me", 1 << 62))
    record = text("space") + b"\x02" + text("a") + b"\x07" + text("value")
    yield "records", piece(text("a") + gossip + update(left, "b", 0) + b"\x08" + record)
    records = b"\x01\x01" + record
    yield "compared_records", piece(records, sealed=0) + piece(records + b"\x01" + text("space"), sealed=0)
    yield "compared_versions", piece(b"\x01\x00\x01\x05\x01" + record[:-6], sealed=0)
    yield "noise", piece(b"EG\x01" + bytes(30), sealed=0)


def replication_inputs():
    """As proto/engram/peer/v1/replication.proto numbers the fields."""

    def field(number, value):
        if isinstance(value, int):
            return length_varint(number << 3) + length_varint(value)
        value = value.encode() if isinstance(value, str) else value
        return length_varint(number << 3 | 2) + length_varint(len(value)) + value

    def fixed(number, value):
        return length_varint(number << 3 | 1) + struct.pack("<Q", value)

    def epoch(number, counter, primary):
        return field(number, field(1, counter) + field(2, primary))

    def version(number, counter, primary, sequence):
        return field(number, epoch(1, counter, primary) + field(2, sequence))

    def part(kind, message):
        return field(1, field(1, "notes") + field(kind, message))

    reign, end = epoch(1, 3, "b"), (1, "a", 7)
    parts = {
        "heartbeat": part(2, reign + fixed(2, 12345) + version(3, 3, "b", 2)),
        "heartbeat_answer": part(3, reign + fixed(2, 12345) + field(3, 1) + version(4, *end)),
        "fenced": part(4, field(1, 4) + epoch(2, 3, "b")),
        "canvass": part(5, field(1, 5)),
        "would_promise": part(6, field(1, 5)),
        "ask_promise": part(7, field(1, 1) + field(2, "b") + field(2, "a") + field(3, 1)),
        "promise": part(8, field(1, 5) + version(2, *end)),
        "appoint": part(9, field(1, 5)),
        "hand_over": part(10, field(1, 5) + version(2, *end)),
        "lineage": part(11, reign + version(2, *end) + version(2, 3, "b", 2)),
        "entries": part(12, reign + version(2, *end) + field(3, epoch(1, 3, "b") + field(2, 1) + field(3, "x")) +
                        field(3, field(2, 2) + field(3, "y"))),
        "confirm": part(13, reign + version(2, *end)),
        "offer": part(14, reign + field(2, version(1, 1, "a", 9) + field(2, 7) + field(3, "x")) +
                      field(2, version(1, 0, "c", 1) + field(3, "y"))),
        "unknown": part(99, b""),
    }
    for name, content in parts.items():
        yield name, b"\1" + content
    yield "all", b"\1" + b"".join(parts.values())
    # XXH3-64 of nothing.
    hello = field(1, field(1, "a") + field(2, "b") + fixed(3, 42)) + fixed(2, 0x2D06800538D394C2)
    yield "hello", b"\0" + hello + fixed(3, 17)
    yield "damaged", b"\0" + hello + field(15, parts["canvass"])


def gzip_inputs():
    def pack(body):
        return gzip.compress(body, mtime=0)

    yield "hello", pack(b"hello")
    yield "empty", pack(b"")
    yield "members", pack(b"one") + pack(b"two")
    yield "bomb", pack(bytes(1_000_000))
    yield "cut", pack(b"hello" * 10)[:-3]
    yield "wrong_sum", pack(b"hello")[:-8] + bytes(8)
    yield "followed", pack(b"hello") + b"more"
    named = bytearray(pack(b"hello"))
    named[3] = 0x1E  # FHCRC, FEXTRA, FNAME, FCOMMENT
    yield "header_fields", bytes(named[:10]) + b"\x02\0ab" + b"name\0" + b"comment\0" + b"\0\0" + bytes(named[10:])


def record_grpc_client():
    """What gRPC's own client sends for one call to a server that only greets."""
    try:
        import grpc  # pylint: disable=import-outside-toplevel
    except ImportError:
        return None
    recorded = []

    def greet(listener):
        peer, _ = listener.accept()
        peer.settimeout(1)
        peer.sendall(frame(SETTINGS, 0, 0))
        try:
            while chunk := peer.recv(65536):
                recorded.append(chunk)
        except TimeoutError:
            pass
        peer.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet, args=(listener,))
        thread.start()
        with grpc.insecure_channel(f"127.0.0.1:{listener.getsockname()[1]}") as channel:
            metadata = (("echo", "text"), ("echo-bin", b"\0\xff\x10"))
            future = channel.unary_unary(UNARY).future(b"hello", metadata=metadata, timeout=5)
            thread.join()
            future.cancel()
    return b"".join(recorded)


def main():
    inputs = {"server_connection": server_inputs, "client_connection": client_inputs, "heads": heads_inputs,
              "wire_text": wire_text_inputs, "message_reader": message_reader_inputs, "status": status_inputs,
              "peek": peek_inputs, "gzip": gzip_inputs, "datagram": datagram_inputs,
              "replication": replication_inputs}
    for target, make in inputs.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in make():
            (folder / name).write_bytes(content)
    if (recorded := record_grpc_client()) is not None:
        (CORPUS / "server_connection" / "grpc_python_client").write_bytes(b"\0" + recorded)


if __name__ == "__main__":
    main()
