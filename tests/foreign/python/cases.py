"""The cases; tests/foreign/node/cases.js has the same under the same names."""

import math
import random
import re
import threading
import time

import grpc
from engram.v1 import cluster_pb2, common_pb2, memory_pb2, spaces_pb2
from harness import TIMEOUT_S, expect_error
from report import Failed, check, check_equal, error_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ULID = re.compile(r"^[0-9A-HJKMNP-TV-Z]{26}$")


def version_of(message):
    version = message.version
    return version.epoch.counter, version.epoch.primary, version.sequence


def store_makes_an_id(context):
    stored = context.first.store(context.space, "a memory without a name")
    check(ULID.match(stored.id), f"id {stored.id!r} is not a ULID")
    check_equal(stored.space, context.space, "space")
    check(stored.created, "not marked as created")
    check(stored.version.sequence > 0, "no version")
    check_equal(context.first.get(context.space, stored.id).content, "a memory without a name", "content")


def every_node_gives_back_what_was_stored(context):
    request = memory_pb2.StoreRequest(
        space=context.space, id="whole", content="every field is set", embedding=[1, 0.5, -0.25], tags=["b", "a"],
        metadata={"key": "value", "empty": ""}, confidence=0.75, kind=memory_pb2.KIND_SEMANTIC,
        links=[memory_pb2.LinkTarget(to="other", weight=0.5), memory_pb2.LinkTarget(to="third")])
    request.occurred_at.FromMilliseconds(1_600_000_000_123)
    stored = context.first.memory.Store(request, timeout=TIMEOUT_S)
    for client in context.clients:
        got = client.get(context.space, "whole")
        check_equal((got.id, got.space, got.content), ("whole", context.space, request.content), "id, space, content")
        check_equal(list(got.embedding), list(request.embedding), "embedding")
        check_equal(sorted(got.tags), ["a", "b"], "tags")
        check_equal(dict(got.metadata), dict(request.metadata), "metadata")
        check_equal((got.confidence, got.kind), (0.75, memory_pb2.KIND_SEMANTIC), "confidence, kind")
        check_equal(sorted((link.to, link.weight) for link in got.links), [("other", 0.5), ("third", 1.0)], "links")
        check_equal(got.occurred_at.ToMilliseconds(), 1_600_000_000_123, "occurred_at")
        check(got.updated_at.seconds > 1_600_000_000, "no updated_at")
        check_equal(version_of(got), version_of(stored), "version")


def store_replaces_by_id(context):
    first = context.first.store(context.space, "before", id="x")
    second = context.last.store(context.space, "after", id="x")
    check(first.created and not second.created, "created must be true, then false")
    check(version_of(second) > version_of(first), "the version did not rise")
    for client in context.clients:
        check_equal(client.get(context.space, "x").content, "after", "content")


def unicode_survives(context):
    content = "Žluťoučký kůň 🐎 — 馬は走る, naïve Œuvre"
    context.first.store(context.space, content, id="u", tags=["štítek"], metadata={"clé": "värde"})
    for client in context.clients:
        got = client.get(context.space, "u")
        check_equal((got.content, list(got.tags), dict(got.metadata)), (content, ["štítek"], {"clé": "värde"}), "memory")
        check_equal([r.id for r in client.recall(context.space, "žluťoučký").results], ["u"], "recall in lower case")


def recall_by_text(context):
    texts = {"pizza": "a flat bread baked with tomatoes and cheese", "soup": "a liquid food of meat or vegetables",
             "storm": "violent weather with wind and thunder", "cheese": "a solid food made of milk"}
    for memory_id, text in texts.items():
        context.first.store(context.space, text, id=memory_id)
    answers = []
    for client in context.clients:
        answer = client.recall(context.space, "tomato on baked bread", limit=3)
        best = answer.results[0]
        check_equal((best.id, best.space, best.content), ("pizza", context.space, texts["pizza"]), "best")
        check(best.why.text_rank == 1 and best.why.text_score > 0 and best.why.terms, f"no reason: {best.why}")
        check(best.score > 0 and 0 < best.confidence <= 1, f"score {best.score}, confidence {best.confidence}")
        check_equal((answer.coverage.asked, answer.coverage.answered), (1, 1), "coverage")
        check_equal(answer.confidence, 1.0, "confidence of the answer")
        answers.append([(r.id, r.score) for r in answer.results])
    check(all(answer == answers[0] for answer in answers), f"nodes differ: {answers}")
    check_equal(len(context.last.recall(context.space, "food", limit=1).results), 1, "limit")
    check_equal(len(context.last.recall(context.space, "xyzzy").results), 0, "results for a word that no memory has")


def recall_by_embedding(context):
    for memory_id, vector in {"east": [1, 0, 0], "north": [0, 1, 0], "north-east": [0.7, 0.7, 0]}.items():
        context.first.store(context.space, f"the way {memory_id}", id=memory_id, embedding=vector)
    for client in context.clients:
        results = client.recall(context.space, embedding=[0.9, 0.1, 0]).results
        check_equal([r.id for r in results][:2], ["east", "north-east"], "order")
        check_equal(results[0].why.vector_rank, 1, "vector rank")
        check(0.99 < results[0].why.vector_score <= 1.0001, f"cosine {results[0].why.vector_score}")


def recall_filters(context):
    store = context.first.store
    store(context.space, "red apple", id="apple", tags=["fruit", "red"], metadata={"shop": "1"}, confidence=0.9)
    store(context.space, "red car", id="car", tags=["red"], metadata={"shop": "2"}, confidence=0.4)
    store(context.space, "red rule", id="rule", kind=memory_pb2.KIND_SEMANTIC, confidence=0.6)

    def found(**filters):
        return sorted(r.id for r in context.last.recall(context.space, "red", **filters).results)

    check_equal(found(), ["apple", "car", "rule"], "without filter")
    check_equal(found(tags=["red"]), ["apple", "car"], "one tag")
    check_equal(found(tags=["red", "fruit"]), ["apple"], "two tags")
    check_equal(found(metadata={"shop": "2"}), ["car"], "metadata")
    check_equal(found(kind=memory_pb2.KIND_SEMANTIC), ["rule"], "kind")
    check_equal(found(min_confidence=0.5), ["apple", "rule"], "confidence")


def recall_over_several_spaces(context):
    other, missing = f"{context.space}.other", f"{context.space}.missing"
    context.first.store(context.space, "the kettle is blue", id="a")
    context.first.store(other, "the kettle is red", id="b")
    for client in context.clients:
        request = memory_pb2.RecallManyRequest(spaces=[context.space, other, missing, other], query="kettle")
        answer = client.memory.RecallMany(request, timeout=TIMEOUT_S)
        check_equal([(r.space, r.id) for r in answer.results], [(context.space, "a"), (other, "b")], "results")
        check_equal((answer.coverage.asked, answer.coverage.answered), (3, 2), "coverage")
        check_equal([(m.space, m.reason) for m in answer.coverage.missing], [(missing, "no such space")], "missing")
        request.strict = True
        expect_error(lambda: client.memory.RecallMany(request, timeout=TIMEOUT_S), grpc.StatusCode.NOT_FOUND,
                     "NO_ASSIGNMENT")
        request = memory_pb2.RecallManyRequest(spaces=[f"{context.space}*"], query="kettle")
        answer = client.memory.RecallMany(request, timeout=TIMEOUT_S)
        check_equal((answer.coverage.asked, len(answer.results)), (2, 2), "spaces and results of a pattern")


def link_spreads_activation(context):
    context.first.store(context.space, "the lighthouse on the cliff", id="lighthouse")
    context.first.store(context.space, "a keeper named Ida", id="keeper")
    linked = context.last.link(context.space, "lighthouse", "keeper", weight=0.75)
    check_equal((linked.space, linked.to, linked.weight), (context.space, "keeper", 0.75), "link")
    for client in context.clients:
        links = [(link.to, link.weight) for link in client.get(context.space, "lighthouse").links]
        check_equal(links, [("keeper", 0.75)], "links")
        results = {r.id: r for r in client.recall(context.space, "cliff").results}
        check("keeper" in results, f"the linked memory was not recalled: {list(results)}")
        check_equal(results["keeper"].why.via, "lighthouse", "via")
        check(results["keeper"].why.activation > 0, "no activation")


def consolidate_makes_one_memory_of_each_group(context):
    context.first.store(context.space, "the lighthouse on the cliff is dark", id="a")
    context.first.store(context.space, "The lighthouse on the cliff is dark.", id="b")
    holders = 0
    for client in context.clients:
        def consolidate():
            request = memory_pb2.ConsolidateRequest(space=context.space)
            return list(client.memory.Consolidate(request, timeout=TIMEOUT_S))
        try:
            parts = consolidate()
        except grpc.RpcError:
            detail = expect_error(consolidate, grpc.StatusCode.UNAVAILABLE, "NO_LOCAL_DATA")
            check(detail.assignment.primary, "no holder is named")
            continue
        holders += 1
        check_equal([[s.id for s in part.group.sources] for part in parts[:-1]], [["a", "b"]], "groups")
        totals = parts[-1].totals
        check_equal((totals.episodes, totals.created + totals.unchanged), (2, 1), "totals")
        made = context.last.get(context.space, parts[0].group.id)
        check_equal(made.kind, memory_pb2.KIND_SEMANTIC, "kind")
        check_equal(sorted(link.to for link in made.links), ["a", "b"], "links to the sources")
    check(holders > 0, "nobody holds the space")


def forget_is_seen_everywhere(context):
    context.first.store(context.space, "soon forgotten", id="gone")
    context.first.store(context.space, "soon remembered", id="stays")
    forgotten = context.last.forget(context.space, "gone")
    check_equal((forgotten.id, forgotten.space), ("gone", context.space), "forgotten")
    for client in context.clients:
        expect_error(lambda: client.get(context.space, "gone"), grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
        check_equal([r.id for r in client.recall(context.space, "soon").results], ["stays"], "recall")


def stream_stores_each_by_its_own_space(context):
    other = f"{context.space}.other"

    def messages():
        for i in range(1, 61):
            if i == 7:
                yield memory_pb2.StoreRequest(space="Not A Space", content="bad name")
            elif i == 9:
                yield memory_pb2.StoreRequest(space=context.space, id="empty")
            else:
                yield memory_pb2.StoreRequest(space=other if i % 2 else context.space, id=f"m{i}", content=f"line {i}")

    answer = context.last.memory.StoreStream(messages(), timeout=TIMEOUT_S)
    check_equal((answer.stored, answer.failed), (58, 2), "stored, failed")
    errors = [(error.line, error.error.code) for error in answer.errors]
    check_equal(sorted(errors), [(7, "INVALID_ARGUMENT"), (9, "INVALID_ARGUMENT")], "errors")
    shares = {}
    for share in answer.shares:
        check(share.node, "a share without its node")
        shares[share.space] = shares.get(share.space, 0) + share.stored
    check_equal(shares, {context.space: 30, other: 28}, "shares")
    for client in context.clients:
        check_equal(client.get(other, "m59").content, "line 59", "content")
        check_equal(client.get(context.space, "m60").content, "line 60", "content")


def empty_stream(context):
    answer = context.first.memory.StoreStream(iter(()), timeout=TIMEOUT_S)
    check_equal((answer.stored, answer.failed), (0, 0), "stored, failed")


def bad_input_names_its_field(context):
    context.first.store(context.space, "fixes the dimension", id="v", embedding=[1, 2, 3])
    store, recall, space = (lambda c: c.store), (lambda c: c.recall), context.space
    cases = [
        ("space", lambda c: store(c)("No Capitals", "x")),
        ("space", lambda c: store(c)("", "x")),
        ("space", lambda c: store(c)("s" * 129, "x")),
        ("space", lambda c: recall(c)("a/b", "x")),
        ("space", lambda c: c.get("a b", "x")),
        ("id", lambda c: store(c)(space, "x", id="no spaces")),
        ("id", lambda c: store(c)(space, "x", id="i" * 65)),
        ("id", lambda c: c.get(space, "")),
        ("content", lambda c: store(c)(space, "")),
        ("confidence", lambda c: store(c)(space, "x", confidence=1.5)),
        ("confidence", lambda c: store(c)(space, "x", confidence=math.nan)),
        ("embedding", lambda c: store(c)(space, "x", embedding=[1, math.nan, 0])),
        ("embedding", lambda c: store(c)(space, "x", embedding=[1, math.inf, 0])),
        ("embedding", lambda c: store(c)(space, "x", embedding=[0, 0, 0])),
        ("embedding", lambda c: store(c)(space, "x", embedding=[1, 2])),
        ("embedding", lambda c: recall(c)(space, embedding=[1, 2])),
        ("tags", lambda c: store(c)(space, "x", tags=[""])),
        ("tags", lambda c: store(c)(space, "x", tags=[f"t{i}" for i in range(65)])),
        ("metadata", lambda c: store(c)(space, "x", metadata={"k": "v" * 9000})),
        ("limit", lambda c: recall(c)(space, "x", limit=0)),
        ("limit", lambda c: recall(c)(space, "x", limit=1001)),
        ("weight", lambda c: c.link(space, "v", "w", weight=2)),
        ("weight", lambda c: c.link(space, "v", "w", weight=0)),
    ]
    for client in context.clients:
        for number, (field, action) in enumerate(cases):
            try:
                expect_error(lambda: action(client), INVALID, "INVALID_ARGUMENT", field)
            except Exception as error:
                raise Failed(f"bad input {number} ({field}) at {client.address}: {error}") from error
    check_equal(len(context.first.recall(space, "x", limit=1000).results), 0, "memories stored by bad requests")


def unknown_id_and_space(context):
    context.first.store(context.space, "the only one", id="one")
    missing = f"{context.space}.missing"
    for client in context.clients:
        detail = expect_error(lambda: client.get(context.space, "two"), grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
        check_equal(detail.space, context.space, "space of the detail")
        expect_error(lambda: client.link(context.space, "one", "two"), grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
        expect_error(lambda: client.get(missing, "x"), grpc.StatusCode.NOT_FOUND, "NO_ASSIGNMENT")
        expect_error(lambda: client.recall(missing, "x"), grpc.StatusCode.NOT_FOUND, "NO_ASSIGNMENT")
    listed = context.first.spaces.ListSpaces(spaces_pb2.ListSpacesRequest(prefix=missing), timeout=TIMEOUT_S)
    check_equal(list(listed.spaces), [], "spaces made by reading")


def broken_message(context):
    for client in context.clients:
        raw = client.channel.unary_unary("/engram.v1.MemoryService/Store")
        name = context.space.encode()
        cut_in_space = b"\x0a\x7fabc"
        cut_after_space = b"\x0a" + bytes([len(name)]) + name + b"\x1a\x40half"
        for body in (cut_in_space, cut_after_space):
            expect_error(lambda: raw(body, timeout=TIMEOUT_S), INVALID, "INVALID_ARGUMENT")


def oversized_message(context):
    for client in context.clients:
        expect_error(lambda: client.store(context.space, "x" * (5 << 20)), INVALID, "INVALID_ARGUMENT")
        client.store(context.space, "the connection still works", id="small")


def large_message_passes(context):
    content = "0123456789abcdef" * (3 << 16)  # 3 MiB
    context.first.store(context.space, content, id="large")
    for client in context.clients:
        check(client.get(context.space, "large").content == content, "content differs")


def unimplemented_method(context):
    for path in ("/engram.v1.MemoryService/Nothing", "/engram.v1.NoService/Get"):
        error = error_of(lambda: context.first.channel.unary_unary(path)(b"", timeout=TIMEOUT_S))
        check_equal(error.code(), grpc.StatusCode.UNIMPLEMENTED, "status")


class OpenStream:
    """A StoreStream whose client sends one message and then says nothing until it is closed."""

    def __init__(self, client, space, timeout):
        self.closed = threading.Event()
        self.sent = threading.Event()
        self.call = client.memory.StoreStream.future(self.messages(space), timeout=timeout)

    def messages(self, space):
        yield memory_pb2.StoreRequest(space=space, id="first", content="first of a stream that never ends")
        self.sent.set()
        self.closed.wait(TIMEOUT_S)


def deadline(context):
    for client in context.clients:
        start = time.monotonic()
        stream = OpenStream(client, context.space, 0.3)
        error = error_of(stream.call.result)
        waited = time.monotonic() - start
        stream.closed.set()
        check_equal(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED, "status")
        check(waited > 0.25, f"ended after {waited:.2f} s, the deadline was 0.3 s")
        error = error_of(lambda: client.call(client.memory.Get, memory_pb2.GetRequest(space="s", id="x"), timeout=-1))
        check_equal(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED, "status of a call without time")
        client.store(context.space, "the node is well", id="after")


def cancellation(context):
    for client in context.clients:
        stream = OpenStream(client, context.space, TIMEOUT_S)
        check(stream.sent.wait(TIMEOUT_S), "the first message was not taken")
        stream.call.cancel()
        stream.closed.set()
        check(stream.call.cancelled(), "not cancelled")
        check_equal(stream.call.code(), grpc.StatusCode.CANCELLED, "status")
        request = memory_pb2.StoreRequest(space=context.space, id="many", content="cancelled in flight")
        for call in [client.memory.Store.future(request, timeout=TIMEOUT_S) for _ in range(100)]:
            call.cancel()
        client.store(context.space, "the node is well", id="after")


def served_by(context):
    nodes = {n.id for n in context.first.cluster.ListNodes(cluster_pb2.ListNodesRequest(), timeout=TIMEOUT_S).nodes}
    request = memory_pb2.StoreRequest(space=context.space, id="x", content="served by its primary")
    servers = set()
    for client in context.clients:
        _, trailing = client.call(client.memory.Store, request)
        servers.add(trailing.get("engram-served-by"))
        check("engram-degraded" not in trailing, "a whole cluster is not degraded")
    check_equal(len(servers), 1, f"number of nodes that served one space's writes ({servers})")
    check(servers <= nodes, f"served by {servers}, the nodes are {nodes}")


def explain_tells_the_route(context):
    context.first.store(context.space, "the way here", id="x")
    request = memory_pb2.GetRequest(space=context.space, id="x")
    for client in context.clients:
        _, trailing = client.call(client.memory.Get, request)
        check("engram-route-bin" not in trailing, "a route that nobody asked for")
        _, trailing = client.call(client.memory.Get, request, metadata=[("engram-explain", "1")])
        check("engram-route-bin" in trailing, f"no route in {sorted(trailing)}")
        route = common_pb2.RouteTrace.FromString(trailing["engram-route-bin"])
        check(route.attempts, "the route is empty")
        last = route.attempts[-1]
        check_equal((last.outcome, last.node), ("ok", trailing["engram-served-by"]), "last attempt")


def new_ulid():
    """48 bits of milliseconds and 80 random ones in Crockford's base 32: a request id carries its time."""
    number = time.time_ns() // 1_000_000 << 80 | random.getrandbits(80)
    return "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> shift & 31] for shift in range(125, -1, -5))


def request_id_has_one_effect(context):
    ulid = new_ulid()
    request = memory_pb2.StoreRequest(space=context.space, content="told twice")
    answers = [client.call(client.memory.Store, request, metadata=[("engram-request-id", ulid)])[0]
               for client in context.clients + context.clients]
    check_equal(len({answer.id for answer in answers}), 1, "number of memories made")
    check_equal(len({version_of(answer) for answer in answers}), 1, "number of changes made")
    check_equal(len(context.last.recall(context.space, "told").results), 1, "results")


def foreign_metadata_is_ignored(context):
    metadata = [("x-custom", "value"), ("x-custom-bin", bytes(range(256))), ("engram-hop", "7"),
                ("engram-route-version-bin", b"\xff\xff")]
    request = memory_pb2.StoreRequest(space=context.space, id="x", content="with odd headers")
    for client in context.clients:
        client.call(client.memory.Store, request, metadata=metadata)


def many_calls_at_once(context):
    for i in range(20):
        context.first.store(context.space, f"number {i}", id=f"n{i}")
    for client in context.clients:
        calls = [(i % 20, client.memory.Get.future(memory_pb2.GetRequest(space=context.space, id=f"n{i % 20}"),
                                                   timeout=TIMEOUT_S)) for i in range(500)]
        for number, call in calls:
            check_equal(call.result().content, f"number {number}", "content")


def nodes_agree_about_the_cluster(context):
    context.first.store(context.space, "somewhere", id="a")
    context.first.store(context.space, "anywhere", id="b")
    seen = []
    for client in context.clients:
        nodes = client.cluster.ListNodes(cluster_pb2.ListNodesRequest(), timeout=TIMEOUT_S).nodes
        check(all(n.state == cluster_pb2.NODE_STATE_ALIVE for n in nodes), f"not all alive: {nodes}")
        status = client.cluster.GetStatus(cluster_pb2.GetStatusRequest(), timeout=TIMEOUT_S)
        check(status.whole and not status.missing, f"nodes missing: {status.missing}")
        check(status.node_id in {n.id for n in nodes}, "the node does not list itself")
        spaces = client.spaces.ListSpaces(spaces_pb2.ListSpacesRequest(prefix=context.space), timeout=TIMEOUT_S).spaces
        check_equal([(s.name, s.memories) for s in spaces], [(context.space, 2)], "spaces")
        route = client.cluster.ResolveRoute(cluster_pb2.ResolveRouteRequest(space=context.space), timeout=TIMEOUT_S)
        check_equal(route.primary.id, spaces[0].assignment.primary, "primary by route and by assignment")
        seen.append((status.cluster_id, sorted((n.id, n.address) for n in nodes), route.primary.id, route.primary.address))
    check(all(view == seen[0] for view in seen), f"nodes differ: {seen}")


ALL = [
    store_makes_an_id, every_node_gives_back_what_was_stored, store_replaces_by_id, unicode_survives, recall_by_text,
    recall_by_embedding, recall_filters, recall_over_several_spaces, link_spreads_activation,
    consolidate_makes_one_memory_of_each_group, forget_is_seen_everywhere,
    stream_stores_each_by_its_own_space, empty_stream, bad_input_names_its_field, unknown_id_and_space, broken_message,
    oversized_message, large_message_passes, unimplemented_method, deadline, cancellation, served_by,
    explain_tells_the_route, request_id_has_one_effect, foreign_metadata_is_ignored, many_calls_at_once,
    nodes_agree_about_the_cluster,
]
