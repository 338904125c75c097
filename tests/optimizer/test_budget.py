"""The call budget: never exceeded whatever the interleaving, and what is not used returns."""

import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.budget import CallBudget, LogicalLedger, Reservation

steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "spend", "settle", "charge"]), st.integers(0, 9), st.integers(0)
    ),
    max_size=60,
)


@given(st.none() | st.integers(0, 30), steps)
def test_spent_never_exceeds_the_limit(limit: int | None, plan: list[tuple[str, int, int]]) -> None:
    budget = CallBudget(limit)
    made: list[Reservation] = []
    open_calls = charged = 0  # a second book, kept the simplest way
    for action, calls, which in plan:
        if action == "reserve":
            reservation = budget.reserve(calls, "trial")
            fits = limit is None or charged + open_calls + calls <= limit
            assert (reservation is not None) == fits
            if reservation is not None:
                made.append(reservation)
                open_calls += calls
        elif made:
            reservation = made[which % len(made)]
            if action == "spend":
                with contextlib.suppress(BudgetError):
                    reservation.spend(calls)
                assert reservation.spent <= reservation.calls
            else:
                made.remove(reservation)
                final = min(calls, reservation.spent) if action == "charge" else reservation.spent
                assert reservation.settle(final) == reservation.calls - final
                open_calls -= reservation.calls
                charged += final
        assert budget.spent == charged + sum(item.spent for item in made)
        assert budget.available == (None if limit is None else limit - charged - open_calls)
        if limit is not None:
            assert 0 <= budget.spent <= limit


def reserve(budget: CallBudget, calls: int, purpose: str = "trial 3") -> Reservation:
    reservation = budget.reserve(calls, purpose)
    assert reservation is not None
    return reservation


def test_a_call_beyond_the_reservation_is_an_error_that_names_it() -> None:
    reservation = reserve(CallBudget(100), 10)
    reservation.spend(9)
    with pytest.raises(BudgetError, match=r"trial 3: 11 calls, but 10 were reserved"):
        reservation.spend(2)
    reservation.spend()
    assert reservation.spent == 10


def test_what_is_held_back_is_not_for_others() -> None:
    budget = CallBudget(100)
    final = reserve(budget, 70, "the decision and the final pass")
    assert budget.reserve(31, "trial 0") is None
    trial = reserve(budget, 30)
    trial.spend(20)
    assert trial.settle() == 10
    assert budget.available == 10
    final.spend(70)
    assert (budget.spent, final.settle()) == (90, 0)


def test_a_settled_reservation_is_closed() -> None:
    budget = CallBudget(10)
    reservation = reserve(budget, 10)
    assert reservation.settle() == 10
    assert reservation.settle() == 0
    with pytest.raises(BudgetError, match="after its budget was settled"):
        reservation.spend()
    assert budget.available == 10


def test_shared_requests_are_charged_once() -> None:
    budget = CallBudget(10)
    reservation = reserve(budget, 6)
    reservation.spend(5)
    with pytest.raises(ValueError, match="can't charge 6 of 5"):
        reservation.settle(charged=6)
    assert reservation.settle(charged=2) == 4
    assert (budget.spent, budget.available) == (2, 8)


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        CallBudget(-1)
    budget = CallBudget(None)
    with pytest.raises(ValueError, match="can't reserve -1"):
        budget.reserve(-1, "trial")
    with pytest.raises(ValueError, match="can't spend -1"):
        reserve(budget, 5).spend(-1)


def test_threads_together_spend_no_more_than_the_limit() -> None:
    budget, ledger = CallBudget(500), LogicalLedger()
    firsts: list[int] = []

    def work() -> None:
        for index in range(200):
            reservation = budget.reserve(3, "trial")
            firsts.append(ledger.count_all([f"digest {index}"]))
            if reservation is not None:
                reservation.spend(2)
                reservation.settle()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 496 <= budget.spent <= 500
    assert budget.available == 500 - budget.spent
    assert sum(firsts) == len(ledger) == 200


def test_the_ledger_counts_each_request_once() -> None:
    ledger = LogicalLedger()
    assert ledger.count_all(["a"]) == 1
    assert ledger.count_all(["a", "b", "c", "b"]) == 2
    assert ledger.count_all([]) == 0
    assert len(ledger) == 3


def test_the_ledger_counts_replies_and_those_that_are_live() -> None:
    ledger = LogicalLedger()
    for live in (True, False, False):
        ledger.note_reply(live=live)
    assert (ledger.asked, ledger.live) == (3, 1)


def test_the_ledger_knows_what_was_counted_before_a_mark() -> None:
    ledger = LogicalLedger()
    ledger.count_all(["a", "b"])
    mark = ledger.mark
    ledger.count_all(["a", "c"])
    assert [ledger.known(digest, mark) for digest in "abcd"] == [True, True, False, False]
    assert ledger.known("c", ledger.mark)
