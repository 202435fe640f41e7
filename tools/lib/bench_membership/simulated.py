"""Tables of what build/bin/membership_bench measures; its functions say what is in a row."""

import collections
import statistics
import subprocess

BENCH = "build/bin/membership_bench"
SHARE = 0.99


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def low_mid_high(values, digits=1):
    return " / ".join(f"{f(values):.{digits}f}" for f in (min, statistics.median, max))


class Figures:
    def __init__(self, rows):
        self.rows = collections.defaultdict(list)
        for kind, *fields in rows:
            self.rows[kind].append([float(field) for field in fields])

    @classmethod
    def measured(cls, quick):
        """Runs the simulations, some minutes long."""
        command = [BENCH] + (["--quick"] if quick else [])
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bench:
            rows = [line.rstrip("\n").split("\t") for line in bench.stdout]
        if bench.returncode != 0:
            raise OSError(f"{BENCH} failed")
        return cls(rows)

    def by_first(self, kind):
        groups = collections.defaultdict(list)
        for first, *rest in self.rows[kind]:
            groups[int(first)].append(rest)
        return sorted(groups.items())

    def spread_curves(self):
        """By number of nodes: when each of the others knew, in all runs together, in rounds, ascending; None if it never did."""
        curves = {}
        for nodes, runs in self.by_first("spread"):
            known = sorted(rounds for _, *all_rounds in runs for rounds in all_rounds)
            curves[nodes] = known + [None] * ((nodes - 1) * len(runs) - len(known))
        return curves

    def tables(self):
        return [self.crashes(), self.spreads(), self.starved(), self.healthy(), self.idle()]

    def crashes(self):
        rows = []
        for nodes, runs in self.by_first("crash"):
            _, firsts, alls, deaths = zip(*runs)
            missed = sum(last < 0 for last in alls)
            rows.append([f"{nodes:,}", len(runs), low_mid_high(firsts), low_mid_high(alls), missed, int(sum(deaths))])
        return table(["nodes", "seeds", "the first knows, s", "all know, s", "not all within a minute", "false deaths"], rows)

    def spreads(self):
        rows = []
        for nodes, runs in self.by_first("spread"):
            most = (nodes - 1) * 99 // 100  # as in the test
            reached = [rounds[most - 1] for _, *rounds in runs if len(rounds) >= most]
            missed = sum(nodes - 1 - len(rounds) for _, *rounds in runs)
            rows.append([f"{nodes:,}", len(runs), low_mid_high(reached), f"{max(reached) * 0.2:.2f}", missed])
        return table(["nodes", "seeds", "rounds until 99 % know", "s at most", "nodes that never knew"], rows)

    def starved(self):
        rows = []
        for nodes, runs in self.by_first("starved"):
            seeds, plain, lifeguard = zip(*runs)
            worst = min(p / l if l else float("inf") for p, l in zip(plain, lifeguard))
            ratio = "no false death with it" if worst == float("inf") else f"{worst:,.0f}"
            rows.append([nodes, len(seeds), low_mid_high(plain, 0), low_mid_high(lifeguard, 0), ratio])
        return table(["slow nodes of 128", "seeds", "false deaths, plain SWIM", "with Lifeguard", "ratio, worst seed"], rows)

    def healthy(self):
        rows = []
        for nodes, runs in self.by_first("healthy"):
            _, hours, suspicions, deaths = zip(*runs)
            rows.append([nodes, len(runs), int(hours[0]), int(sum(suspicions)), int(sum(deaths))])
        return table(["nodes", "seeds", "hours each", "suspicions", "false deaths"], rows)

    def idle(self):
        headers = 28  # of IPv4 and UDP
        rows = []
        for nodes, ((datagrams, count, states),) in self.by_first("idle"):
            whole = datagrams + headers * count + states
            rows.append([nodes, f"{datagrams:.0f}", f"{headers * count:.0f}", f"{states:.0f}", f"{whole:.0f}"])
        return table(["idle nodes, simulated", "bytes/s each sends in datagrams", "their IP and UDP headers",
                      "full states over RPC", "together"], rows)
