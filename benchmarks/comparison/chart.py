"""Test score against LM calls as an SVG: a point a world, and a larger one for their mean."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.comparison.optimisers import OPTIMISERS
from benchmarks.comparison.table import by_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.comparison.optimisers import Optimiser
    from benchmarks.comparison.results import Result

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 940, 520, 60, 20, 340, 50
COLOURS = {"own": ("#012a1c", "#0b6e4f", "#08a045", "#6bbf59", "#a7c957"), "peer": (
    "#9d0208", "#dc2f02", "#e85d04", "#f48c06", "#7b2cbf", "#c77dff",
)}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "diamond", "hourglass")
Point = tuple[float, float]


class Plot:
    """The scales, calls logarithmic and scores from 0 to 1, and the pieces drawn so far."""

    def __init__(self, calls: Sequence[float]) -> None:
        self.low = 10 ** math.floor(math.log10(min(calls)))
        self.high = 10 ** math.ceil(math.log10(max(calls) + 1))
        self.pieces: list[str] = []

    def x(self, calls: float) -> float:
        """Return the place of a number of calls."""
        share = math.log(calls / self.low) / math.log(self.high / self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, score: float) -> float:
        """Return the place of a score."""
        return HEIGHT - BOTTOM - score * (HEIGHT - TOP - BOTTOM)

    def add(self, piece: str) -> None:
        """Draw a piece on top of the others."""
        self.pieces.append(piece)

    def text(self, x: float, y: float, said: str, anchor: str = "middle") -> None:
        """Write a text."""
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>')

    def mark(self, at: Point, shape: str, colour: str, size: float, title: str) -> None:
        """Draw a point that shows its title under the pointer."""
        style = f'fill="{colour}" fill-opacity="{1 if size > 5 else 0.55}"'
        self.add(f"<g {style}><title>{escape(title)}</title>{_shape(at, shape, size)}</g>")


def svg(results: Sequence[Result]) -> str:
    """Return the chart; at least one result must have made a call."""
    plot = Plot([one.measured.calls for one in results if one.measured.calls])
    _axes(plot)
    worlds = sorted({one.job.world for one in results})
    there = [one for one in OPTIMISERS if any(r.job.optimiser == one.name for r in results)]
    line = TOP + 10.0
    for optimiser in there:
        own = [one for one in results if one.job.optimiser == optimiser.name]
        _points(plot, optimiser, own, worlds)
        plot.mark((WIDTH - RIGHT + 30, line - 4), "circle", _colour(optimiser), 6, optimiser.title)
        plot.text(WIDTH - RIGHT + 42, line, optimiser.title, "start")
        line += 20
    for number, world in enumerate(worlds):
        line += 20
        plot.mark((WIDTH - RIGHT + 30, line - 4), SHAPES[number % len(SHAPES)], "#555", 4, world)
        plot.text(WIDTH - RIGHT + 42, line, world, "start")
    plot.text(WIDTH - RIGHT + 20, line + 24, "large: mean over the worlds", "start")
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="12"'
    body = "\n".join(plot.pieces)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{body}\n</svg>\n'


def _colour(optimiser: Optimiser) -> str:
    kin = [one for one in OPTIMISERS if one.kind == optimiser.kind]
    colours = COLOURS[optimiser.kind]
    return colours[kin.index(optimiser) % len(colours)]


def _points(plot: Plot, optimiser: Optimiser, own: Iterable[Result], worlds: list[str]) -> None:
    calls = by_world(own, lambda one: one.measured.calls)
    scores = by_world(own, lambda one: one.after)
    means = {world: (fmean(calls[world]), fmean(scores[world])) for world in calls}
    for world, (spent, score) in means.items():
        shape = SHAPES[worlds.index(world) % len(SHAPES)]
        title = f"{optimiser.title}, {world}: {score:.3f} with {spent:,.0f} calls"
        plot.mark((plot.x(spent), plot.y(score)), shape, _colour(optimiser), 4, title)
    spent, score = (fmean(values) for values in zip(*means.values(), strict=True))
    title = f"{optimiser.title}: {score:.3f} with {spent:,.0f} calls"
    plot.mark((plot.x(spent), plot.y(score)), "circle", _colour(optimiser), 8, title)


def _axes(plot: Plot) -> None:
    plot.add(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>')
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for tenth in range(0, 11, 2):
        y = plot.y(tenth / 10)
        plot.add(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ddd"/>')
        plot.text(LEFT - 8, y + 4, f"{tenth / 10:.1f}", "end")
    power = plot.low
    while power <= plot.high:
        for step in (1, 2, 5):
            if power * step <= plot.high:
                x = plot.x(power * step)
                plot.add(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#eee"/>')
                plot.text(x, bottom + 18, f"{power * step:,.0f}")
        power *= 10
    plot.text((LEFT + right) / 2, HEIGHT - 10, "LM calls of the optimisation, at the endpoint")
    plot.add(
        f'<text transform="translate(16 {(TOP + bottom) / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">test score after</text>'
    )


def _shape(at: Point, shape: str, size: float) -> str:
    x, y = at
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}"/>'
    corners: Sequence[Point] = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle": ((0, -1.2), (1.1, 0.9), (-1.1, 0.9)),
        "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        "hourglass": ((-1, -1), (1, -1), (-1, 1), (1, 1)),
    }[shape]
    points = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}"/>'
