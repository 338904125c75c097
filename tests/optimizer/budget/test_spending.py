"""What a study spent, by stage."""

from pytest_mipro.optimizer.budget.budget import STAGES, Spending, grouped
from pytest_mipro.optimizer.study.amount import Amount


def test_stages_stand_in_the_order_of_the_plan_whichever_was_charged_first() -> None:
    spending = Spending()
    for stage in ("baseline", "search", "proposals", "search", "bootstrap", "decision"):
        spending.add(stage, ("pipeline.note", "test/fake"), Amount(1, 10))
    by_stage = grouped(spending.entries(), lambda entry: entry.stage)
    assert list(by_stage) == list(STAGES[:5])
    assert by_stage["search"] == Amount(2, 20)
