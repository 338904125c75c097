"""The time that a case may take: it scores 0, nobody waits for it, and it asks for nothing more."""

import threading

import pytest
from optimizer_world import Row, make_rows, make_study, note
from world_model import WorldClient

from pytest_mipro.errors import CaseTimeoutError
from pytest_mipro.optimizer.budget.budget import Budget
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.case_timeout import within
from pytest_mipro.optimizer.measuring.evaluate import Evaluator
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Outcome


def test_what_ends_in_time_returns_and_raises() -> None:
    assert within(None, lambda: 3) == within(30, lambda: 3) == 3
    with pytest.raises(KeyError):
        within(30, lambda: {}["x"])
    with pytest.raises(TimeoutError, match="the case's own"):
        within(30, own_timeout)


def own_timeout() -> None:
    raise TimeoutError("the case's own")


def test_what_does_not_is_left_behind() -> None:
    release = threading.Event()
    with pytest.raises(CaseTimeoutError, match=r"longer than 0\.01 s \(mipro_case_timeout\)"):
        within(0.01, lambda: release.wait(60))
    release.set()


def test_a_hanging_case_scores_zero_and_its_later_calls_are_refused() -> None:
    release, refused = threading.Event(), threading.Event()

    def hanging(row: Row) -> Outcome:
        note(row.text)
        if row.id == "r001":
            release.wait(60)
            try:
                note("[r002] another red one")
            except CaseTimeoutError:
                refused.set()
        return Outcome(1.0)

    study, client = make_study(make_rows(3, 0, 0), tests={"test_hang": hanging}), WorldClient()
    evaluator = Evaluator(study, client, Accounting(), concurrency=2, case_timeout=0.5)
    reservation = Budget(Limits()).reserve(Amount(9), "trial")
    assert reservation is not None
    try:
        evaluation = evaluator.start({}, study.cases, reservation).result()
        asked = len(client.requests)
        release.set()
        assert refused.wait(30)
    finally:
        evaluator.close()
    assert evaluation.scores() == {
        "test_hang[r000]": 1.0,
        "test_hang[r001]": 0.0,
        "test_hang[r002]": 1.0,
    }
    assert "mipro_case_timeout" in evaluation.runs[1].outcome.feedback
    assert len(client.requests) == asked == 3
