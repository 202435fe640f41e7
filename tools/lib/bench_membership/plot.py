"""Draws how a piece of news spreads, as plain SVG that is readable on a light and on a dark page."""

import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 52, 56
COLOURS = ("#2f7ed8", "#d9822b", "#2e9e5b", "#b04ac2")
TOLD = 3  # by each, each round

STYLE = """
text { font: 13px sans-serif; fill: #24292f; }
.axis { stroke: #57606a; } .grid { stroke: #57606a; stroke-opacity: 0.25; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .axis, .grid { stroke: #9ea7b3; } }
"""


class Canvas:
    def __init__(self, rounds_max):
        self.rounds_max = rounds_max
        self.parts = []

    def x(self, rounds):
        return LEFT + (WIDTH - LEFT - RIGHT) * rounds / self.rounds_max

    def y(self, share):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def line(self, x1, y1, x2, y2, attributes):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {attributes}/>')

    def text(self, x, y, content, anchor="middle"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{content}</text>')

    def axes(self):
        for percent in (0, 25, 50, 75, 99):
            y = self.y(percent / 100)
            self.line(LEFT, y, WIDTH - RIGHT, y, f'class="{"axis" if percent == 0 else "grid"}"')
            self.text(LEFT - 8, y + 4, f"{percent} %", "end")
        for rounds in range(int(self.rounds_max) + 1):
            self.line(self.x(rounds), self.y(0), self.x(rounds), self.y(0) + 5, 'class="axis"')
            self.text(self.x(rounds), self.y(0) + 20, rounds)
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "rounds of gossip of 200 ms")

    def curve(self, times, colour):
        """A stair: at each time one more of them knows."""
        points = [(0.0, 0.0)]
        for i, rounds in enumerate(times):
            if rounds is None:
                break
            share = (i + 1) / len(times)
            # A step that nobody could see is left out.
            if share - points[-1][1] >= 0.002 or i + 1 == len(times):
                points += [(rounds, points[-1][1]), (rounds, share)]
        points.append((self.rounds_max, points[-1][1]))
        path = " ".join(f"{self.x(rounds):.1f},{self.y(share):.1f}" for rounds, share in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def svg(self, title):
        return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
                          f"<title>{title}</title>", f"<style>{STYLE}</style>", *self.parts, "</svg>", ""])


def draw(curves, file):
    """`curves`: by number of nodes, ascending, after how many rounds each of them knew, ascending; None: never."""
    ideal = {nodes: math.log(nodes, 1 + TOLD) for nodes in curves}
    last = max(rounds for times in curves.values() for rounds in times if rounds is not None)
    canvas = Canvas(math.ceil(max(last, *ideal.values())))
    canvas.axes()
    for i, (nodes, times) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        canvas.curve(times, colour)
        x = canvas.x(ideal[nodes])
        canvas.line(x, canvas.y(0), x, canvas.y(1), f'stroke="{colour}" stroke-dasharray="4 4"')
        start = LEFT + 200 * i
        canvas.line(start, 20, start + 28, 20, f'stroke="{colour}" stroke-width="2"')
        canvas.text(start + 36, 24, f"{nodes:,} nodes", "start")
    canvas.text(LEFT, 42, "solid: share of the other nodes that know; dashed: log\u2084 N", "start")
    with open(file, "w", encoding="utf-8") as out:
        out.write(canvas.svg("Share of the nodes that know a piece of news, by rounds of gossip"))
