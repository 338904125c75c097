"""Measure how often each rule of the gate errs, and how often each interval holds the truth.

    python benchmarks/gate_error_rates.py [--runs N] [--seed N]

Draws cases with a known true score, judges them by the gate's own code, and prints one Markdown
table: a row for each rule or interval and what may go wrong, a column for each number of cases.
Beside each stands what a plain mean or a textbook interval would do on the same draws.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from pytest_mipro.optimizer.statistics.intervals import mean_interval, paired_lift
from pytest_mipro.optimizer.study.case import Case, Outcome
from pytest_mipro.plugin.collecting.plan import TestPlan
from pytest_mipro.plugin.gate.verdict.judge import Holdout, Reference, judge
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase
from pytest_mipro.plugin.measuring.report_data import CaseResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict

SIZES = (20, 50, 200)
THRESHOLD, GREAT, GOOD, BAD = 0.80, 0.95, 0.85, 0.70
REGRESSION, SMALL_FALL, FALL = 0.02, 0.015, 0.10
GROUPS, BAD_GROUP, OTHER_GROUPS = 5, 0.40, 0.95
REPEATS = 5
Z = 1.959964

_PLAN = TestPlan(
    nodeid="test.py::test",
    name="test",
    study="test.py",
    lock="test.mipro.json",
    threshold=None,
    max_regression=None,
    confidence=None,
    pass_score=1.0,
    repeats=1,
    expected=0,
    selected=0,
)


@dataclass(frozen=True)
class Row:
    """A line of the table: who, what may happen, and its share of the runs by number of cases."""

    who: str
    what: str
    shares: dict[int, float]


class Tally:
    """Counts events by line and number of cases; the lines keep the order of their first count."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], defaultdict[int, list[bool]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def count(self, who: str, what: str, size: int, happened: object) -> None:
        """Count one run."""
        self._counts[who, what][size].append(bool(happened))

    def rows(self) -> list[Row]:
        """Return the lines with their shares."""
        return [
            Row(who, what, {size: fmean(events) for size, events in sizes.items()})
            for (who, what), sizes in self._counts.items()
        ]


def pass_fail(draw: np.random.Generator, size: int, mean: float) -> list[float]:
    """Return scores of 0 and 1."""
    return (draw.random(size) < mean).astype(float).tolist()


def graded(draw: np.random.Generator, size: int, mean: float) -> list[float]:
    """Return shares of three facts that a reply mentions; some rows are harder than others."""
    return (draw.binomial(3, _difficulty(draw, size, mean)) / 3).tolist()


def verdict(scores: Sequence[float], locked: Sequence[float] = (), **mark: object) -> Verdict:
    """Return the gate's verdict on cases of these scores; `locked` are those of the lock."""
    groups = mark.pop("groups", None)
    results = [
        CaseResult(f"test[{n}]", f"row{n}", Outcome(score), group=groups[n] if groups else None)
        for n, score in enumerate(scores)
    ]
    cases = (
        LockedCase(f"test[{n}]", "test", f"row{n}", "", score) for n, score in enumerate(locked)
    )
    lock = Lock("", 0, 0, cases=tuple(cases)) if locked else None
    plan = replace(_PLAN, expected=len(results), selected=len(results), **mark)
    return judge(plan, results, Reference(lock, Holdout(frozenset()), "all"))


def count_threshold(tally: Tally, draw: np.random.Generator, size: int) -> None:
    """Judge a good and a bad prompt by the mean, and by its lower bound."""
    for kind, scores_of in (("pass/fail", pass_fail), ("graded", graded)):
        for who, mark in (
            ("`threshold=0.8` (the plain mean)", {}),
            ("`threshold=0.8, confidence=0.95`", {"confidence": 0.95}),
        ):
            for what, truth, wrong in (
                (f"fails a very good prompt ({GREAT:.2f})", GREAT, "failed"),
                (f"fails a good prompt ({GOOD:.2f})", GOOD, "failed"),
                (f"passes a bad one ({BAD:.2f})", BAD, "passed"),
            ):
                found = verdict(scores_of(draw, size, truth), threshold=THRESHOLD, **mark)
                name = f"{who}, {kind}"
                tally.count(name, what, size, found.status == wrong)
                if not mark and truth != GREAT:
                    silent = found.status == wrong and not found.doubts
                    tally.count(name, f"{what} without “too few cases”", size, silent)


def count_regression(tally: Tally, draw: np.random.Generator, size: int) -> None:
    """Judge an unchanged, an allowed and a worse prompt against the lock, all sampled anew."""
    for what, fall, wrong in (
        ("fails an unchanged prompt", 0.0, "failed"),
        (f"fails a fall of {SMALL_FALL}, which is allowed", SMALL_FALL, "failed"),
        (f"passes a fall of {FALL:.2f}", FALL, "passed"),
    ):
        before, after = _before_and_after(draw, size, fall)
        found = verdict(after, before, max_regression=REGRESSION)
        tally.count(f"`max_regression={REGRESSION}`", what, size, found.status == wrong)
        fell = fmean(before) - fmean(after) > REGRESSION + 1e-9
        plain = "failed" if fell else "passed"
        tally.count(f"a plain fall of more than {REGRESSION}", what, size, plain == wrong)


def count_groups(tally: Tally, draw: np.random.Generator, size: int) -> None:
    """Judge five groups that are all good, and five of which one nearly always fails."""
    names = [f"g{n % GROUPS}" for n in range(size)]
    for what, means, wrong in (
        (f"fails {GROUPS} good groups ({GOOD:.2f} each)", [GOOD] * GROUPS, "failed"),
        (
            f"passes a group at {BAD_GROUP:.2f} among others at {OTHER_GROUPS:.2f}",
            [BAD_GROUP] + [OTHER_GROUPS] * (GROUPS - 1),
            "passed",
        ),
    ):
        for kind, scores_of in (("pass/fail", pass_fail), ("graded", graded)):
            parts = [iter(scores_of(draw, size, mean)) for mean in means]
            scores = [next(parts[n % GROUPS]) for n in range(size)]
            found = verdict(scores, threshold=THRESHOLD, group="group", groups=names)
            (rule,) = (rule for rule in found.rules if rule.name == "group")
            status = "passed" if rule.held else "failed"
            tally.count(f"`group`, {kind}", what, size, status == wrong)
            plain = "passed" if fmean(scores) >= THRESHOLD else "failed"
            tally.count(f"the plain mean of these, {kind}", what, size, plain == wrong)


def count_coverage(tally: Tally, draw: np.random.Generator, size: int) -> None:
    """Compare the two-sided 95 % intervals with the truth."""
    what = "the interval holds the true score ({})"
    for truth in (0.80, 0.95):
        told = what.format(f"{truth:.2f}")
        scores = pass_fail(draw, size, truth)
        interval = mean_interval(scores)
        tally.count("Wilson, pass/fail", told, size, interval.low <= truth <= interval.high)
        tally.count("normal, pass/fail", told, size, _in_normal(scores, truth))
        scores = graded(draw, size, truth)
        interval = mean_interval(scores)
        tally.count("bounded, graded", told, size, interval.low <= truth <= interval.high)
        tally.count("normal, graded", told, size, _in_normal(scores, truth))
    for truth in (0.0, FALL):
        before, after = _before_and_after(draw, size, truth)
        told = f"the interval holds the true difference ({0 - truth:.2f})"
        tally.count("paired difference", told, size, _in_paired(before, after, -truth))
        differences = [a - b for a, b in zip(after, before, strict=True)]
        tally.count("normal, of the differences", told, size, _in_normal(differences, -truth))
    truth, told = GOOD, what.format(f"{GOOD:.2f}; {REPEATS} samples a case")
    samples = draw.binomial(1, _difficulty(draw, size, truth), (REPEATS, size)).T.astype(float)
    interval = mean_interval(samples.mean(axis=1).tolist(), [str(n) for n in range(size)])
    tally.count("by row, repeats", told, size, interval.low <= truth <= interval.high)
    apart = mean_interval(samples.ravel().tolist())
    tally.count("Wilson of all samples", told, size, apart.low <= truth <= apart.high)


COUNTS: tuple[Callable[[Tally, np.random.Generator, int], None], ...] = (
    count_threshold,
    count_regression,
    count_groups,
    count_coverage,
)


def measure(runs: int, sizes: Iterable[int] = SIZES, seed: int = 0) -> list[Row]:
    """Return the lines of the table; equal arguments give equal figures."""
    tally = Tally()
    for size in sizes:
        for place, count in enumerate(COUNTS):
            draw = np.random.default_rng((seed, size, place))
            for _ in range(runs):
                count(tally, draw, size)
    return tally.rows()


def table(rows: Sequence[Row]) -> str:
    """Return the lines as one Markdown table; a name appears only in its first row."""
    sizes = sorted({size for row in rows for size in row.shares})
    lines = [
        f"| rule or interval | what happens | {' | '.join(f'{size} cases' for size in sizes)} |",
        f"|---|---|{'---:|' * len(sizes)}",
    ]
    before = ""
    for row in sorted(rows, key=_place(rows)):
        shares = " | ".join(f"{100 * row.shares[size]:.1f} %" for size in sizes)
        lines.append(f"| {'' if row.who == before else row.who} | {row.what} | {shares} |")
        before = row.who
    return "\n".join(lines)


def _place(rows: Sequence[Row]) -> Callable[[Row], int]:
    names = list(dict.fromkeys(row.who for row in rows))
    return lambda row: names.index(row.who)


def _difficulty(draw: np.random.Generator, size: int, mean: float) -> np.ndarray:
    """Return each row's own probability of a pass, `mean` on average."""
    return draw.beta(3 * mean, 3 * (1 - mean), size)


def _before_and_after(
    draw: np.random.Generator, size: int, fall: float
) -> tuple[list[float], list[float]]:
    """Return pass/fail scores of the same rows, sampled twice; the second fell by `fall`."""
    chances = _difficulty(draw, size, GOOD)
    kept = 1 - fall / GOOD
    before = (draw.random(size) < chances).astype(float)
    after = (draw.random(size) < chances * kept).astype(float)
    return before.tolist(), after.tolist()


def _in_paired(before: Sequence[float], after: Sequence[float], truth: float) -> bool:
    cases = [Case(str(n), str(n), "test", Outcome) for n in range(len(before))]
    first = {case.id: score for case, score in zip(cases, before, strict=True)}
    second = {case.id: score for case, score in zip(cases, after, strict=True)}
    lift = paired_lift(second, first, cases)
    return lift.low <= truth <= lift.high


def _in_normal(values: Sequence[float], truth: float) -> bool:
    """Return whether the textbook interval, mean ± 1.96 standard errors, holds the truth."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return abs(fmean(values) - truth) <= Z * error + 1e-12


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=4000, help="runs of each number of cases")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error(f"--runs must be at least 1, got {options.runs}")
    print(table(measure(options.runs, seed=options.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
