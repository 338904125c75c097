"""Gates in the conclusion: a finalist is refused that newly fails one on all cases."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from concluded import BETTER, concluded
from optimizer_world import Row, baseline_of, make_rows, make_study, metric_colour, program, sort

from pytest_mipro.optimizer.deciding.conclude import failed_gates
from pytest_mipro.optimizer.study.case import CaseRun, Evaluation, Outcome, Study


def by_part(row: Row) -> Outcome:
    """Right under the better prompts but on training rows, where they fail."""
    given = program(row.text)
    better = "green" in sort.prompt.instruction
    if row.split == "train":
        return Outcome(0.0 if better else 1.0)
    return Outcome(float(given == row.colour))


@pytest.mark.parametrize(
    ("threshold", "written"),
    [(20 / 34, True), (0.6, False), (0.9, True)],  # still met, newly failed, never met
)
def test_thresholds_are_judged_on_all_cases_and_only_where_they_were_met(
    threshold: float, written: bool
) -> None:
    study = make_study(make_rows(14, 6, 14), {"test": by_part}, {"test": {"threshold": threshold}})
    with baseline_of(study) as (_, baseline):
        before = baseline.evaluation.scores()
    assert 0.6 < sum(before.values()) / 34 < 0.9
    end = concluded(BETTER, study)
    assert end.final is not None
    assert sum(end.final.scores().values()) == 20
    assert end.decision is not None
    assert end.decision.bound > 0
    assert end.accepted == written
    assert end.reason.startswith("better" if written else "fails the gate of test, which")


def test_a_test_whose_every_case_was_skipped_fails_no_threshold() -> None:
    def skipped(row: Row) -> Outcome:
        return Outcome(None, skipped="needs a network")

    study = make_study(
        tests={"test_colour": metric_colour, "test_net": skipped},
        specs={"test_net": {"threshold": 0.5}, "test_colour": {"threshold": 0.3}},
    )
    end = concluded(BETTER, study)
    assert end.prompts == BETTER


def scored(study: Study, lost: int) -> Evaluation:
    """Return runs in which the first cases, so many, score 0 and the others 1."""
    runs = (CaseRun(case, 0, Outcome(float(n >= lost)), ()) for n, case in enumerate(study.cases))
    return Evaluation(tuple(runs))


def failed(
    study: Study, before: Evaluation, after: Evaluation, judge: Callable[..., Any] = lambda *_: ()
) -> tuple[str, ...]:
    """Return the gates that a finalist fails, by a judge of evaluations and by a fall."""
    services = SimpleNamespace(failing_tests=judge)
    baseline = SimpleNamespace(study=study, evaluation=before, split=None)
    return failed_gates(cast("Any", services), cast("Any", baseline), after)


@pytest.mark.parametrize(
    ("limits", "fallen", "fails"),
    [
        ({"max_regression": 0.02}, 12, True),  # surely more than allowed
        ({"max_regression": 0.2}, 12, False),  # a sure fall, but within the limit or by chance
        ({"max_regression": 0.02}, 2, False),  # more than allowed, and may be chance
        ({"max_regression": 0.02, "confidence": 0.6}, 3, True),
        ({}, 50, False),
    ],
)
def test_a_sure_fall_of_more_than_is_allowed_fails_the_gate(
    limits: dict[str, float], fallen: int, fails: bool
) -> None:
    study = make_study(make_rows(0, 50, 0), specs={"test_colour": limits})
    assert failed(study, scored(study, 0), scored(study, fallen)) == ("test_colour",) * fails
    assert failed(study, scored(study, fallen), scored(study, fallen)) == ()


def test_a_gate_that_fails_under_the_finalist_alone_is_failed() -> None:
    study = make_study(make_rows(0, 50, 0))
    before, after = scored(study, 0), scored(study, 50)

    def judge(runs: Evaluation, _: object) -> tuple[str, ...]:
        return ("test_c", "test_b", "test_a") if runs is after else ("test_c",)

    assert failed(study, before, after, judge) == ("test_a", "test_b")
    assert failed(study, after, after, judge) == ()
