"""The first lines of a lock, for who reads its history in git; nothing else reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

from pytest_mipro.optimizer.statistics.intervals import mean_interval
from pytest_mipro.optimizer.statistics.notation import with_interval
from pytest_mipro.runtime.text.number_words import counted

_MOST_TESTS = 8


def summary_of(scored: Iterable[tuple[str, str, float]], models: Iterable[str]) -> tuple[str, ...]:
    """Return each test's mean with its interval, and the models; nothing without scores.

    `scored` holds the test, row and score (0…1) of each case. Intervals count rows: what the gate
    knows beyond them, as of rows that count as one, is not in a lock.
    """
    tests = defaultdict[str, list[tuple[str, float]]](list)
    for test, row, score in scored:
        tests[test].append((row, score))
    lines = []
    for test in sorted(tests)[:_MOST_TESTS]:
        rows, scores = zip(*tests[test], strict=True)
        interval = mean_interval(scores, rows)
        mean = with_interval(fmean(scores), interval.low, interval.high)
        lines.append(f"{test}: {mean}, {counted(len(scores), 'case')}")
    if len(tests) > _MOST_TESTS:
        lines.append(f"and {counted(len(tests) - _MOST_TESTS, 'test')} more")
    return (*lines, *sorted(set(models))) if lines else ()
