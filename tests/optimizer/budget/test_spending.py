"""What a study spent, by stage."""

from pytest_mipro.optimizer.budget.spending import STAGES, Spending, grouped
from pytest_mipro.optimizer.study.amount import Amount


def test_stages_stand_in_the_order_of_the_plan_whichever_was_charged_first() -> None:
    spending = Spending()
    for stage in ("baseline", "search", "proposals", "search", "bootstrap", "decision"):
        spending.add(stage, ("pipeline.note", "test/fake"), Amount(1, 10))
    by_stage = grouped(spending.entries(), lambda entry: entry.stage)
    assert list(by_stage) == list(STAGES[:5])
    assert by_stage["search"] == Amount(2, 20)


def test_each_request_counts_once() -> None:
    spending = Spending()
    assert spending.count_all(["a"]) == ["a"]
    assert spending.count_all(["a", "b", "c", "b"]) == ["b", "c"]
    assert spending.count_all([]) == []
    assert spending.mark == 3


def test_replies_are_counted_and_those_that_are_live() -> None:
    spending = Spending()
    for live in (True, False, False):
        spending.note_reply(live=live)
    assert (spending.asked, spending.live) == (3, 1)


def test_what_was_counted_before_a_mark_is_known() -> None:
    spending = Spending()
    spending.count_all(["a", "b"])
    mark = spending.mark
    spending.count_all(["a", "c"])
    assert [spending.known(digest, mark) for digest in "abcd"] == [True, True, False, False]
    assert spending.known("c", spending.mark)
