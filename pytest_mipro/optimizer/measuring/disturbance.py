"""Find out whether cases end otherwise beside others than alone, as the gate runs them.

A test that patches a module, sets an environment variable or changes the folder does so for the
whole process, and so for all cases that run at the same time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_mipro.optimizer.statistics.distributions import ALPHA, binomial_tail
from pytest_mipro.optimizer.study.case import Case, Evaluation, Study
from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.runtime.score import ROUNDING

# So many cases of each test run again alone; their replies are cached.
_SAMPLE = 30
# Fewer cases can't tell a disturbance from chance.
_FEWEST = 3


@dataclass(frozen=True)
class Disturbed:
    """`cases` of the `sample` cases of a test ended otherwise beside others than alone."""

    test: str
    cases: int
    sample: int


Found = tuple[Disturbed, ...]


def disturbed_tests(beside: Evaluation, alone: Callable[[Sequence[Case]], Evaluation]) -> Found:
    """Return the tests whose cases others disturbed in `beside`, sorted; none where none did.

    `alone` runs cases one at a time: a sample of each test's cases, and where a score differs, all
    of it once more. If cases don't disturb one another, each of the three runs is the odd one out
    equally often; a test is disturbed if that beside others is it more often than by chance (5 %).
    """
    sample = _sample(item.case for item in beside.runs if not item.outcome.skipped)
    first, before = _scores(beside), _scores(alone(sample))
    if all(_same(first[case.id], before[case.id]) for case in sample):
        return ()
    again = _scores(alone(sample))
    found = []
    for test, cases in sorted(_by_test(sample).items()):
        odd, differing = 0, 0
        for case in cases:
            one, two, three = first[case.id], before[case.id], again[case.id]
            odd += _same(two, three) and not _same(one, two)
            differing += not (_same(one, two) and _same(two, three))
        if odd and 1 - binomial_tail(odd - 1, differing, 1 / 3) < ALPHA:
            found.append(Disturbed(test, odd, len(cases)))
    return tuple(found)


def runs_alone(study: Study) -> int:
    """Return how many case runs show that no test of the study is disturbed."""
    concurrent = any(test.concurrent for test in study.tests.values())
    return len(_sample(study.cases)) if concurrent else 0


def _sample(cases: Iterable[Case]) -> list[Case]:
    """Return cases of each test, chosen by their ids' digests; none of tests with few."""
    found: list[Case] = []
    for mine in _by_test({case.id: case for case in cases}.values()).values():
        if len(mine) >= _FEWEST:
            found += sorted(mine, key=lambda case: content_digest(case.id))[:_SAMPLE]
    return found


def _by_test(cases: Iterable[Case]) -> Mapping[str, list[Case]]:
    found: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        found[case.test].append(case)
    return found


def _scores(evaluation: Evaluation) -> Mapping[str, float | None]:
    return {item.case.id: item.outcome.score for item in evaluation.runs if item.sample == 0}


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= ROUNDING
