"""The decision: its rule, its words, and how often it errs when nothing is better."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from pytest_mipro.optimizer.statistics.combination import Combined
from pytest_mipro.optimizer.statistics.decide import Evidence, decide, detectable_lift
from pytest_mipro.optimizer.statistics.intervals import PairedLift, paired_lift
from pytest_mipro.optimizer.statistics.power import detectable_difference, rows_to_detect
from pytest_mipro.optimizer.study.split import Split

HOLDOUT = Evidence(holdout=True)


@dataclass(frozen=True)
class Scored:
    id: str
    row: str
    test: str = "test_queue"
    unit: str = ""


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
        f"better: lift +0.177 ({lift.low:+.2f} to {lift.high:+.2f}) on 62 holdout rows, "
        f"one-sided 96 % lower bound {lift.lower(0.96):+.3f} (look 1 at this holdout)"
    )
    assert decision.bound == lift.lower(decision.level) > 0


def test_each_look_spends_its_part_of_the_error() -> None:
    looks = range(1, 200)
    spent = [1 - Evidence(holdout=True, look=look).level for look in looks]
    assert spent[:3] == pytest.approx([0.04, 0.01 / 2, 0.01 / 6])
    assert 0.049 < sum(spent) < 0.05
    lift = changes(12, 3, 62)
    assert decide(lift, HOLDOUT).verdict == "accept"
    later = decide(lift, Evidence(holdout=True, look=3))
    assert later.verdict == "likely"
    assert "one-sided 99.83 % lower bound -" in later.reason
    assert "(look 3 at this holdout)" in later.reason


def test_kept_rows_help_the_holdout_and_prove_less_the_more_leaders_there_were() -> None:
    fresh, chosen = changes(9, 3, 40), changes(14, 3, 40)
    alone = decide(fresh, HOLDOUT)
    helped = decide(fresh, Evidence(holdout=True, kept=chosen, leaders=10))
    assert alone.verdict == "likely"
    assert helped.verdict == "accept"
    assert helped.lift == fresh
    assert helped.bound == Combined(fresh, chosen, 10).lower(0.96)
    said = " on 40 holdout rows and +0.275 on 40 kept from trials (the best of at most 10), "
    assert said in helped.reason
    many = decide(fresh, Evidence(holdout=True, kept=chosen, leaders=1000))
    assert many.verdict == "likely"
    assert many.bound < 0 < helped.bound


def test_training_rows_that_decide_are_named() -> None:
    lift = changes(14, 3, 62)
    decision = decide(lift, Evidence(holdout=True, rows=62, training=22))
    assert decision.bound == lift.lower(0.96)
    assert ") on 40 holdout and 22 training rows, one-sided 96 % lower bound" in decision.reason


def test_too_few_rows_are_told_from_no_lift() -> None:
    few = decide(changes(3, 2, 30), HOLDOUT, accept="likely")
    assert (few.verdict, few.accepted) == ("reject", False)
    assert "too few rows to tell: lift +0.033" in few.reason
    detectable, enough = few.lift.detectable(0.96), few.lift.rows_to_detect(0.96)
    assert f"30 rows alone detect a difference of {detectable:.3f} in 70 % of runs" in few.reason
    assert few.reason.endswith(f", {enough:,} would detect this one")
    # By their scatter these rows should do, so no number of rows is promised.
    unlucky = decide(lift_of([0.2] * 19 + [0.0], [0.0] * 19 + [0.5]), HOLDOUT)
    assert unlucky.lift.mean > unlucky.lift.detectable(0.96)
    assert unlucky.bound < 0
    assert unlucky.reason.endswith(" in 70 % of runs, but did not detect this one")
    worse = decide(changes(3, 5, 30), HOLDOUT)
    assert worse.verdict == "reject"
    assert worse.reason.startswith("not better: lift -0.067 (")
    assert not worse.accepted


def test_a_likely_lift_is_accepted_on_demand_only() -> None:
    lift = changes(8, 4, 62)
    refused = decide(lift, HOLDOUT)
    assert lift.lower(0.8) > 0 > lift.lower(0.96)
    assert (refused.verdict, refused.accepted) == ("likely", False)
    assert refused.reason.startswith("likely better: lift +0.065 (-0.0")
    assert decide(lift, HOLDOUT, accept="likely").accepted
    # what chose the finalist can't make it likely, too
    picked = Evidence(holdout=False, tried=20)
    assert decide(lift, picked, accept="likely").verdict == "reject"


def test_rows_that_instructions_were_written_from_decide_nothing() -> None:
    shared = Evidence(holdout=False, tried=1, shared=True)
    decision = decide(changes(12, 0, 15), shared)
    assert (decision.verdict, decision.accepted) == ("undecided", False)
    assert decision.reason.startswith("so few rows decide nothing: lift +0.800 (")
    assert "on 15 validation rows, from which its instructions were written" in decision.reason
    wanted = "from 25 rows on, other rows decide than the search learns from, and about "
    assert re.search(rf"; {wanted}75 would confirm such a lift on a holdout$", decision.reason)
    assert decide(changes(12, 0, 15), shared, accept="likely").accepted
    assert decide(changes(2, 3, 15), shared, accept="likely").verdict == "reject"


def test_without_a_holdout_the_selection_is_paid_for_and_said() -> None:
    lift = changes(14, 3, 62)
    first = decide(lift, Evidence(holdout=False, tried=1))
    many = decide(lift, Evidence(holdout=False, tried=60))
    assert first.verdict == "unconfirmed"
    assert first.accepted
    assert first.reason.endswith("(the best of 1 tried), not independently confirmed")
    assert many.verdict == "reject"
    assert many.bound == lift.lower(1 - 0.05 / 60) < 0 < first.bound
    assert "62 validation rows, one-sided 99.92 % lower bound" in many.reason
    assert f"{lift.detectable(1 - 0.05 / 60):.3f}" in many.reason
    assert decide(changes(40, 3, 62), Evidence(holdout=False, tried=60)).accepted


def test_a_failed_gate_rejects_whatever_the_lift_and_the_demand() -> None:
    decision = decide(changes(30, 0, 62), HOLDOUT, failed=("test_reply",), accept="likely")
    assert (decision.verdict, decision.accepted) == ("reject", False)
    assert decision.reason.startswith("fails the gate of test_reply, which the committed")
    assert "lift +0.484" in decision.reason


@pytest.mark.parametrize(
    ("split", "lift"),
    [
        (Split(("a",), tuple("bcdefgh"), tuple(map(str, range(50)))), 0.20),
        (Split(("a",), tuple("ab"), shared=True), 1.0),  # nothing is decided
        (Split(("a",), tuple("ab"), tuple(map(str, range(50))), shared=True), 0.20),
    ],
)
def test_the_plan_promises_what_the_decision_detects(split: Split, lift: float) -> None:
    assert detectable_lift(split, trials=12) == pytest.approx(lift, abs=0.02)
    if split.holdout:
        assert detectable_lift(split, 12, look=4) > detectable_lift(split, 12) + 0.05


def test_as_many_rows_as_are_said_detect_the_lift() -> None:
    for lift in (changes(3, 2, 30), changes(9, 4, 62)):
        enough = lift.rows_to_detect(0.975)
        assert enough is not None
        found = [detectable_difference(n, lift.sd, level=0.975) for n in (enough - 1, enough)]
        assert found[1] <= lift.mean < found[0]
    assert rows_to_detect(0.0) is None


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
    assert 0.002 < accepted / 1200 < 0.04 + 0.015


def test_false_acceptance_over_many_looks_at_a_holdout() -> None:
    rng = np.random.default_rng(3)
    spent = unspent = 0
    for _ in range(300):
        committed, *finalists = answers(rng, 60, 11)
        lifts = [changes(*gains_and_losses(after, committed), 60) for after in finalists]
        spent += any(
            decide(lift, Evidence(holdout=True, look=look)).accepted
            for look, lift in enumerate(lifts, 1)
        )
        unspent += any(lift.lower_one_sided > 0 for lift in lifts)
    assert unspent / 300 > 0.12  # what the spending is there for
    assert spent / 300 < 0.05 + 0.03


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
