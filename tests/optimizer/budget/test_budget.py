"""The budget: never exceeded in any currency, and what is not used returns."""

import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.budget.budget import Budget, LogicalLedger, Reservation
from pytest_mipro.optimizer.study.amount import Amount, Limits, total

small = st.builds(Amount, st.integers(0, 9), st.integers(0, 90), st.integers(0, 900))
limits = st.builds(
    Limits,
    st.none() | st.integers(0, 30),
    st.none() | st.integers(0, 300),
    st.none() | st.integers(0, 3000),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "spend", "grow", "settle", "charge"]), small, st.integers(0)
    ),
    max_size=60,
)


@given(limits, steps)
def test_nothing_ever_exceeds_a_limit(limit: Limits, plan: list[tuple[str, Amount, int]]) -> None:
    budget = Budget(limit)
    made: list[Reservation] = []
    charged = Amount()  # a second book, kept the simplest way
    for action, amount, which in plan:
        counted = limit.counted(amount)
        taken = charged + total(item.amount for item in made)
        if action == "reserve":
            reservation = budget.reserve(amount, "trial")
            assert (reservation is not None) == (taken + counted).within(limit)
            made += [reservation] if reservation is not None else []
        elif made:
            reservation = made[which % len(made)]
            if action == "spend":
                with contextlib.suppress(BudgetError):
                    reservation.spend(amount)
                assert reservation.spent.within(reservation.amount)
            elif action == "grow":
                before = reservation.amount
                assert reservation.grow(amount) or reservation.amount == before
                assert before.within(reservation.amount)
            else:
                made.remove(reservation)
                spent = reservation.spent
                final = amount.at_most(spent) if action == "charge" else spent
                assert reservation.settle(final) == reservation.amount - final
                charged += limit.counted(final)
        assert budget.spent == charged + total(limit.counted(item.spent) for item in made)
        assert budget.taken == charged + total(item.amount for item in made)
        assert budget.spent.within(limit)
        assert budget.taken.within(limit)
        assert budget.spent.within(budget.taken)


def reserve(budget: Budget, calls: int, purpose: str = "trial 3") -> Reservation:
    reservation = budget.reserve(Amount(calls), purpose)
    assert reservation is not None
    return reservation


def test_a_call_beyond_the_reservation_is_an_error_that_names_it() -> None:
    reservation = reserve(Budget(Limits(100)), 10)
    reservation.spend(Amount(9))
    with pytest.raises(BudgetError, match=r"trial 3: 11 calls, but 10 calls were reserved"):
        reservation.spend(Amount(2))
    reservation.spend()
    assert reservation.spent.calls == 10


def test_tokens_and_money_beyond_the_reservation_are_errors_too() -> None:
    budget = Budget(Limits(100, 100, 2_000_000_000))
    reservation = budget.reserve(Amount(10, 100, 1_000_000_000), "trial 3")
    assert reservation is not None
    with pytest.raises(BudgetError, match=r"101 tokens, .* 100 tokens"):
        reservation.spend(Amount(1, 101, 0))
    with pytest.raises(BudgetError, match=r"\$1\.5000, but .* \$1\.0000 were reserved"):
        reservation.spend(Amount(1, 1, 1_500_000_000))
    assert reservation.spent == Amount()


def test_a_currency_without_a_limit_is_not_counted() -> None:
    budget = Budget(Limits(tokens=100))
    reservation = budget.reserve(Amount(5, 50, 10**12), "trial")
    assert reservation is not None
    reservation.spend(Amount(1, 10, 10**13))
    assert budget.reserve(Amount(5, 51, 0), "trial") is None
    assert budget.reserve(Amount(10**6, 50, None), "trial") is not None


def test_what_is_held_back_is_not_for_others() -> None:
    budget = Budget(Limits(100))
    final = reserve(budget, 70, "the decision and the final pass")
    assert budget.reserve(Amount(31), "trial 0") is None
    trial = reserve(budget, 30)
    trial.spend(Amount(20))
    assert trial.settle().calls == 10
    assert (budget.limits.calls - budget.taken.calls) == 10
    final.spend(Amount(70))
    assert (budget.spent.calls, final.settle().calls) == (90, 0)


def test_what_is_kept_must_still_fit_beside_a_reservation() -> None:
    budget = Budget(Limits(100, 1000))
    assert budget.reserve(Amount(50, 500), "trial", keep=Amount(50, 501)) is None
    assert budget.reserve(Amount(50, 500), "trial", keep=Amount(50, 500)) is not None


def test_a_settled_reservation_is_closed() -> None:
    budget = Budget(Limits(10))
    reservation = reserve(budget, 10)
    assert reservation.settle().calls == 10
    assert reservation.settle() == Amount()
    with pytest.raises(BudgetError, match="after its budget was settled"):
        reservation.spend()
    assert (budget.limits.calls - budget.taken.calls) == 10


def test_shared_requests_are_charged_once() -> None:
    budget = Budget(Limits(10))
    reservation = reserve(budget, 6)
    reservation.spend(Amount(5))
    with pytest.raises(ValueError, match=r"can't charge Amount\(calls=6"):
        reservation.settle(charged=Amount(6))
    assert reservation.settle(charged=Amount(2)).calls == 4
    assert (budget.spent.calls, (budget.limits.calls - budget.taken.calls)) == (2, 8)


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Limits(-1)
    budget = Budget(Limits())
    with pytest.raises(ValueError, match="can't reserve"):
        budget.reserve(Amount(-1), "trial")
    with pytest.raises(ValueError, match="can't spend"):
        reserve(budget, 5).spend(Amount(-1))


def test_threads_together_spend_no_more_than_the_limit() -> None:
    budget, ledger = Budget(Limits(500)), LogicalLedger()
    firsts: list[str] = []

    def work() -> None:
        for index in range(200):
            reservation = budget.reserve(Amount(3), "trial")
            firsts.extend(ledger.count_all([f"digest {index}"]))
            if reservation is not None:
                reservation.spend(Amount(2))
                reservation.settle()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 496 <= budget.spent.calls <= 500
    assert (budget.limits.calls - budget.taken.calls) == 500 - budget.spent.calls
    assert len(firsts) == len(ledger) == 200


def test_the_ledger_counts_each_request_once() -> None:
    ledger = LogicalLedger()
    assert ledger.count_all(["a"]) == ["a"]
    assert ledger.count_all(["a", "b", "c", "b"]) == ["b", "c"]
    assert ledger.count_all([]) == []
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
