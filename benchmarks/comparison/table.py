"""The results as Markdown tables."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from benchmarks.comparison.estimates import across
from benchmarks.comparison.optimisers import OPTIMISERS
from benchmarks.comparison.worlds import WORLDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.comparison.estimates import Estimate
    from benchmarks.comparison.optimisers import Optimiser
    from benchmarks.comparison.results import Result


def tables(results: Sequence[Result]) -> str:
    """Return the three tables: over all worlds, world by world, and pair by pair."""
    there = [(one, group) for one in OPTIMISERS if (group := _of(results, one))]
    parts = [
        "Means over worlds and seeds, with the interval of the score after:",
        _table(
            ("optimiser", "runs", "before", "after", "lift", "calls", "tokens", "seconds"),
            (_overall(one, group) for one, group in there),
        ),
        "Test score by world; in brackets the interval of the lift over the committed prompts:",
        _table(
            ("optimiser", *_worlds(results)),
            (_by_world(one, group, results) for one, group in there),
        ),
    ]
    pairs = list(_pairs(there))
    if pairs:
        head = ("optimiser", "against", "difference", "calls")
        parts += [
            "Difference in test score on the same draws, and calls as a fraction of the peer's:"
        ]
        parts += [_table(head, pairs)]
    return "\n\n".join(parts) + "\n"


def each(results: Sequence[Result]) -> str:
    """Return a table with a line a run."""
    head = ("run", "seed", "before", "after", "calls", "tokens", "seconds", "ended")
    return _table(
        head,
        (
            (
                f"{one.job.world}, {one.job.optimiser}",
                str(one.job.seed),
                f"{one.before:.3f}",
                f"{one.after:.3f}",
                f"{one.measured.calls:,}",
                f"{one.tokens:,}",
                f"{one.measured.seconds:.0f}",
                one.measured.ended,
            )
            for one in sorted(results, key=lambda one: (*_draw(one), one.job.optimiser))
        ),
    )


def _of(results: Iterable[Result], optimiser: Optimiser) -> list[Result]:
    return [one for one in results if one.job.optimiser == optimiser.name]


def _worlds(results: Iterable[Result]) -> list[str]:
    found = {one.job.world for one in results}
    return [*(world for world in WORLDS if world in found), *sorted(found - set(WORLDS))]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_world(
    results: Iterable[Result], value: Callable[[Result], float]
) -> Mapping[str, list[float]]:
    """Return the values of the results by world."""
    found: dict[str, list[float]] = {}
    for one in results:
        found.setdefault(one.job.world, []).append(value(one))
    return found


def lift(result: Result) -> float:
    """Return the test score after less that before."""
    return result.after - result.before


def _overall(optimiser: Optimiser, group: list[Result]) -> list[str]:
    def mean(value: Callable[[Result], float]) -> float:
        return fmean(fmean(values) for values in by_world(group, value).values())

    return [
        optimiser.title,
        str(len(group)),
        f"{mean(lambda one: one.before):.3f}",
        _score(across(by_world(group, lambda one: one.after))),
        f"{mean(lift):+.3f}",
        f"{mean(lambda one: one.measured.calls):,.0f}",
        f"{mean(lambda one: one.tokens):,.0f}",
        f"{mean(lambda one: one.measured.seconds):.1f}",
    ]


def _by_world(optimiser: Optimiser, group: list[Result], results: Iterable[Result]) -> list[str]:
    cells = []
    for world in _worlds(results):
        here = [one for one in group if one.job.world == world]
        if not here:
            cells.append("")
            continue
        after = fmean(one.after for one in here)
        cells.append(f"{after:.3f}{_signed(across(by_world(here, lift)))}")
    return [optimiser.title, *cells]


def _pairs(there: Sequence[tuple[Optimiser, list[Result]]]) -> Iterable[list[str]]:
    """Give a line for each of the product's presets against each of the others."""
    for one, group in there:
        for other, others in there:
            if one.name not in ("mipro-light", "mipro-medium") or other.kind == "own":
                continue
            opposite = {(r.job.world, r.job.seed): r for r in others}
            met = [(r, opposite[key]) for r in group if (key := _draw(r)) in opposite]
            if met:
                yield _pair(one, other, met)


def _pair(one: Optimiser, other: Optimiser, met: list[tuple[Result, Result]]) -> list[str]:
    found: dict[str, list[float]] = {}
    for mine, theirs in met:
        found.setdefault(mine.job.world, []).append(mine.after - theirs.after)
    estimate = across(found)
    calls = fmean(mine.measured.calls for mine, _ in met)
    others = fmean(theirs.measured.calls for _, theirs in met)
    ratio = f"{calls / others:.2f}" if others else ""
    return [one.title, other.title, f"{estimate.mean:+.3f}{_signed(estimate)}", ratio]


def _draw(result: Result) -> tuple[str, int]:
    return result.job.world, result.job.seed


def _score(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:.3f}"
    return f"{estimate.mean:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _signed(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({estimate.low:+.2f} to {estimate.high:+.2f})"
