"""What the calls of an evaluation are charged."""

import pytest
from measured_world import ROWS, evaluate, evaluator, left, part_of
from optimizer_world import Row, make_study, metric_colour
from world_model import WorldClient, inputs_of, module_of

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.meter import Meter, MeteredRequest
from pytest_mipro.optimizer.budget.spending import Spending
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Outcome, cases_of


def test_more_calls_than_reserved_drop_the_evaluation_and_charge_it_whole() -> None:
    ledger, client = Ledger(Limits(100)), WorldClient()
    study = make_study(ROWS)
    with evaluator(study, client) as made:
        evaluation = made.start({}, study.cases, part_of(ledger, 7)).result()
    assert evaluation.over_budget == "more than the 7 calls reserved for it"
    assert evaluation.runs == ()
    assert len(client.digests) == evaluation.calls == ledger.spent.calls == 7


def test_a_budget_error_that_the_pipeline_swallows_drops_the_evaluation_too() -> None:
    def swallowing(row: Row) -> Outcome:
        try:
            return metric_colour(row)
        except Exception:
            return Outcome(1.0)

    assert evaluate(swallowing, calls=11).over_budget
    assert not evaluate(swallowing, calls=12).over_budget


def test_requests_that_evaluations_share_are_charged_once() -> None:
    ledger, client = Ledger(Limits(100)), WorldClient(delays=3)
    study = make_study(ROWS)
    with evaluator(study, client) as made:
        first, second = (made.start({}, study.cases, part_of(ledger, 12)) for _ in range(2))
        assert left(ledger) == 76  # both are in flight whole
        assert (first.result().calls, second.result().calls) == (12, 0)
        assert (ledger.spent.calls, left(ledger)) == (12, 88)
        known = made.start({}, study.cases, part_of(ledger, 0))
        assert known.result().over_budget == ""
    assert len(client.digests) == 12


def asked(digest: str) -> MeteredRequest:
    return MeteredRequest(digest, ("", ""), Amount(1))


def test_a_request_counted_after_the_mark_is_paid_until_it_is_settled() -> None:
    ledger, spending = Ledger(Limits(10)), Spending()
    early, late = (Meter(part_of(ledger, 3), spending) for _ in range(2))
    early.note(asked("a"))
    assert early.settle() == 1
    late.note(asked("a"))  # known by now, but not when this part began: timing must not matter
    late.note(asked("a"))
    assert len(late.requests) == 1
    assert late.settle() == 0
    assert ledger.spent.calls == spending.mark == 1


def test_what_a_dropped_part_asked_is_not_known_to_later_ones() -> None:
    """Which of its requests came before the limit depends on timing; no charge may."""
    ledger, spending = Ledger(Limits(20)), Spending()
    dropped = Meter(part_of(ledger, 3), spending)
    for digest in "abc":
        dropped.note(asked(digest))
    with pytest.raises(BudgetError, match="4 calls, but 3 calls were reserved"):
        dropped.note(asked("d"))
    assert dropped.settle(whole=True) == 3
    assert (spending.mark, ledger.spent.calls, left(ledger)) == (0, 3, 17)
    later = Meter(part_of(ledger, 2), spending)
    later.note(asked("a"))
    later.note(asked("d"))
    assert later.settle() == 2
    assert (spending.mark, ledger.spent.calls) == (2, 5)


def test_cases_of_rows_keep_the_studys_order() -> None:
    study = make_study(ROWS)
    assert [case.row for case in cases_of(study, ["r004", "r001", "r009"])] == ["r001", "r004"]


def test_the_inputs_are_what_the_row_says() -> None:
    client = WorldClient()
    evaluate(client=client)
    texts = {inputs_of(request) for request in client.requests if module_of(request) == "note"}
    assert texts == {f"<text>\n{row.text}\n</text>" for row in ROWS}
