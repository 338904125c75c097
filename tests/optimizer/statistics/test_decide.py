"""The decision: its rule, its words, and how often it errs when nothing is better."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from pytest_mipro.optimizer.statistics.decide import (
    Evidence,
    bonferroni_level,
    decide,
    newly_failed,
)
from pytest_mipro.optimizer.statistics.intervals import PairedLift, paired_lift

HOLDOUT = Evidence(holdout=True)


@dataclass(frozen=True)
class Scored:
    id: str
    row: str
    test: str = "test_queue"


def lift_of(after: list[float], before: list[float]) -> PairedLift:
    cases = [Scored(str(i), str(i)) for i in range(len(after))]
    return paired_lift(
        {case.id: score for case, score in zip(cases, after, strict=True)},
        {case.id: score for case, score in zip(cases, before, strict=True)},
        cases,
    )


def changes(better: int, worse: int, n: int) -> PairedLift:
    same = [1.0] * (n - better - worse)
    return lift_of([1.0] * better + [0.0] * worse + same, [0.0] * better + [1.0] * worse + same)


def test_a_clear_lift_on_the_holdout_is_accepted_with_its_figures() -> None:
    decision = decide(changes(14, 3, 62), HOLDOUT)
    assert decision.verdict == "accept"
    assert decision.accepted
    lift = decision.lift
    assert decision.reason == (
        f"better: lift +0.177 [{lift.low:.3f}, {lift.high:.3f}] on 62 holdout rows, "
        f"one-sided 95 % lower bound {lift.lower_one_sided:+.3f}"
    )
    assert decision.bound == lift.lower_one_sided > 0


def test_the_one_sided_bound_decides() -> None:
    lift = changes(10, 3, 62)
    assert lift.low < 0 < lift.lower_one_sided
    assert decide(lift, HOLDOUT).verdict == "accept"
    assert decide(lift, HOLDOUT, level=0.99).verdict == "reject"


def test_too_few_rows_are_told_from_no_lift() -> None:
    few = decide(changes(3, 1, 30), HOLDOUT)
    assert few.verdict == "reject"
    assert "too few rows to tell: lift +0.067" in few.reason
    assert f"30 rows detect a difference of {few.lift.detectable():.3f}" in few.reason
    worse = decide(changes(3, 5, 30), HOLDOUT)
    assert worse.verdict == "reject"
    assert worse.reason.startswith("not better: lift -0.067 [")
    assert not worse.accepted


def test_without_a_holdout_the_selection_is_paid_for_and_said() -> None:
    lift = changes(14, 3, 62)
    first = decide(lift, Evidence(holdout=False, tried=1))
    many = decide(lift, Evidence(holdout=False, tried=60))
    assert first.verdict == "unconfirmed"
    assert first.accepted
    assert first.reason.endswith("after 1 assignments tried, not independently confirmed")
    assert many.verdict == "reject"
    assert many.bound == lift.lower(1 - 0.05 / 60) < 0 < first.bound
    assert "62 validation rows" in many.reason
    assert f"{lift.detectable(1 - 0.05 / 60):.3f}" in many.reason
    assert decide(changes(40, 3, 62), Evidence(holdout=False, tried=60)).accepted


def test_a_failed_threshold_rejects_whatever_the_lift() -> None:
    decision = decide(changes(30, 0, 62), HOLDOUT, failed=("test_reply",))
    assert decision.verdict == "reject"
    assert decision.reason.startswith("fails the threshold of test_reply, which the committed")
    assert "lift +0.484" in decision.reason


def test_only_thresholds_that_were_met_can_be_failed() -> None:
    thresholds = {"a": 0.8, "b": 0.8, "c": 0.8, "d": 0.8}
    before = {"a": 0.8, "b": 0.79, "c": 0.9, "d": 0.9, "e": 1.0}
    after = {"a": 0.79, "b": 0.5, "c": 0.8, "d": 0.1, "e": 0.0}
    assert newly_failed(before, after, thresholds) == ("a", "d")


def test_a_second_look_at_the_holdout_is_said() -> None:
    assert "optimistic" not in decide(changes(14, 3, 62), HOLDOUT).reason
    again = decide(changes(14, 3, 62), Evidence(holdout=True, holdout_uses=3))
    assert again.reason.endswith("look 3 at this holdout, so the interval is optimistic")


def test_bonferroni_shares_the_error() -> None:
    assert bonferroni_level(0.95, 10) == pytest.approx(0.995)
    assert bonferroni_level(0.95, 0) == 0.95


def answers(rng: np.random.Generator, n: int, candidates: int) -> np.ndarray:
    """Equally good candidates on common rows: probit answers with a shared difficulty a row."""
    difficulty = rng.normal(size=(1, n))
    return (difficulty + rng.normal(size=(candidates, n)) > 0).astype(float)


def gains_and_losses(after: np.ndarray, before: np.ndarray) -> tuple[int, int]:
    """Count the rows that change: a lift of passes and failures depends on nothing else."""
    return int((after > before).sum()), int((after < before).sum())


@pytest.mark.parametrize("n", [30, 80])
def test_false_acceptance_on_a_holdout(n: int) -> None:
    rng = np.random.default_rng(2)
    runs = Counter(gains_and_losses(*answers(rng, n, 2)) for _ in range(1200))
    accepted = sum(
        count
        for (gains, losses), count in runs.items()
        if decide(changes(gains, losses, n), HOLDOUT).accepted
    )
    assert 0.005 < accepted / 1200 < 0.05 + 0.02


@pytest.mark.parametrize(("n", "tried"), [(30, 10), (60, 30)])
def test_false_acceptance_of_the_best_of_many(n: int, tried: int) -> None:
    rng = np.random.default_rng(4)
    runs: Counter[tuple[int, int]] = Counter()
    for _ in range(500):
        committed, *others = answers(rng, n, tried + 1)
        runs[gains_and_losses(max(others, key=np.sum), committed)] += 1
    naive = adjusted = 0
    for (gains, losses), count in runs.items():
        lift = changes(gains, losses, n)
        adjusted += count * decide(lift, Evidence(holdout=False, tried=tried)).accepted
        naive += count * (lift.lower_one_sided > 0)
    assert naive / 500 > 0.12  # what the adjustment is there for
    assert adjusted / 500 < 0.05 + 0.02
