"""Markdown of what was measured: a table for each comparison, and the goals of the wire with what they came to.

A ratio is taken within each round, whose measurements lie side by side, and the median of the rounds is printed.
"""

import statistics

from load import Load


def median(rounds, key):
    return statistics.median(measured[key] for measured in rounds)


def ratio(ours, theirs, key):
    return statistics.median(a[key] / b[key] for a, b in zip(ours, theirs) if b[key] > 0)


class Results:
    """Measurements of one comparison: by way, contender's name and load, one for each round."""

    def __init__(self, body_bytes, tls):
        self.body_bytes = body_bytes
        self.title = f"{body_bytes:,} bytes, {'TLS' if tls else 'plain'}"
        self.rows = {}  # (way, name, load) -> [{"rate", "p50", "p99", "front_cpu", "owner_cpu"}]
        self.labels = {}

    def add(self, contender, load, measured):
        self.labels[contender.way, contender.name] = contender.label
        self.rows.setdefault((contender.way, contender.name, load), []).append(measured)

    def find(self, way, name, load):
        return self.rows.get((way, name, load))

    def loads(self):
        return list(dict.fromkeys(load for _, _, load in self.rows))

    def reference(self, way, load):
        """Ours, which the others are held against: the node if it takes part, else the bare engine."""
        return self.find(way, "engram", load) or self.find(way, "wire", load)

    def to_json(self):
        return {"title": self.title,
                "results": [{"way": way, "contender": name, "client": load.client, "connections": load.connections,
                             "streams": load.streams, "one_core": load.pinned, "rounds": rounds}
                            for (way, name, load), rounds in self.rows.items()]}


HEADER = """| connections x in flight | {who} | p50 us | p99 us | requests/s | CPU us/request{whose} | requests/s, ours to it |
| --- | --- | --- | --- | --- | --- | --- |"""


def table(results, way, client):
    hop = way == "one hop"
    lines = [HEADER.format(who="through" if hop else "server", whose=": forwarder + owner" if hop else "")]
    for load in results.loads():
        if load.client == client:
            lines += [row(results, way, name, load) for w, name in results.labels
                      if w == way and results.find(way, name, load)]
    return "\n".join(lines) if len(lines) > 1 else ""


def row(results, way, name, load):
    rounds, ours = results.find(way, name, load), results.reference(way, load)
    cpu = f"{median(rounds, 'front_cpu'):.1f}"
    if way == "one hop":
        cpu += f" + {median(rounds, 'owner_cpu'):.1f}"
    to_it = "" if ours is None or ours is rounds else f"{ratio(ours, rounds, 'rate'):.2f}"
    return (f"| {load} | {results.labels[way, name]} | {median(rounds, 'p50'):.0f} | {median(rounds, 'p99'):.0f} "
            f"| {median(rounds, 'rate'):,.0f} | {cpu} | {to_it} |")


def print_results(results):
    for way in ("direct", "one hop"):
        for client in ("h2load", "gRPC C++"):
            text = table(results, way, client)
            if text:
                print(f"\n### {results.title}, {way}, client {client}\n{text}")


# ---- goals

ONE = Load("h2load", 1, 1, pinned=True)
ONE_CONNECTION = Load("h2load", 1, 64)
MANY_CONNECTIONS = Load("h2load", 64, 1)

# (what, way, contender, load, measure, at least / at most, bound): ours divided by the contender's. They hold for the smallest
# body.
DIRECT_GOALS = [
    ("requests/s", "direct", "grpc", ONE_CONNECTION, "rate", ">=", 3.0),
    ("requests/s", "direct", "grpc", MANY_CONNECTIONS, "rate", ">=", 1.7),
    ("p50", "direct", "grpc", ONE, "p50", "<=", 1.0),
]
HOP_GOALS = [(what, "one hop", name, load, measure, comparison, 1.0)
             for name in ("nghttpx", "haproxy", "nginx")
             for what, load, measure, comparison in (
                 ("p50", ONE, "p50", "<="),
                 ("requests/s", ONE_CONNECTION, "rate", ">="), ("requests/s", MANY_CONNECTIONS, "rate", ">="),
                 ("forwarder's CPU", ONE_CONNECTION, "front_cpu", "<="),
                 ("forwarder's CPU", MANY_CONNECTIONS, "front_cpu", "<="))]


def judge(results):
    """A row for each goal: the node's ratio, by which it is judged, and that of our engine alone. No node, no verdict."""
    for what, way, name, load, measure, comparison, bound in DIRECT_GOALS + HOP_GOALS:
        theirs = results.find(way, name, load)
        mine = {ours: results.find(way, ours, load) for ours in ("engram", "wire")}
        if theirs is None or not any(mine.values()):
            continue
        ratios = {ours: round(ratio(rounds, theirs, measure), 3) if rounds else None for ours, rounds in mine.items()}
        value = ratios["engram"]
        met = None if value is None else value >= bound if comparison == ">=" else value <= bound
        yield {"comparison": results.title, "way": way, "what": f"{what}, {load}", "to": name, "ratios": ratios,
               "goal": f"{comparison} {bound:g}", "met": met}


def print_goals(goals):
    verdict = {True: "yes", False: "**no**", None: "-"}
    print("\n### Goals: ours divided by the other's\n| comparison | what | to | engram | our engine alone | goal for engram | met |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for goal in goals:
        engram, wire = ("-" if value is None else f"{value:.2f}" for value in goal["ratios"].values())
        print(f"| {goal['comparison']}, {goal['way']} | {goal['what']} | {goal['to']} | {engram} | {wire} | {goal['goal']} "
              f"| {verdict[goal['met']]} |")
