"""The ledger: never exceeded in any currency, and what is not used returns."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.budget.ledger import Ledger, Part
from pytest_mipro.optimizer.study.amount import NOTHING, Amount, Limits, total

small = st.builds(Amount, st.integers(0, 9), st.integers(0, 90), st.integers(0, 900))
limits = st.builds(
    Limits,
    st.none() | st.integers(0, 30),
    st.none() | st.integers(0, 300),
    st.none() | st.integers(0, 3000),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "hold", "part", "alone", "close"]), small, st.integers(0)
    ),
    max_size=60,
)


@given(limits, steps)
def test_nothing_ever_exceeds_a_limit(limit: Limits, plan: list[tuple[str, Amount, int]]) -> None:
    ledger = Ledger(limit)
    used, held = NOTHING, NOTHING  # a second book, kept the simplest way
    begun: list[Amount] = []
    parts: list[Part] = []
    for action, amount, which in plan:
        flying = total([*begun, *(part.most.known for part in parts)])
        left = limit.less(used + flying + held)
        if action == "begin":
            fits = ledger.begin(amount)
            assert fits == amount.within(left)
            begun += [amount] if fits else []
        elif action == "end" and begun:
            worst = begun.pop(which % len(begun))
            used += amount.at_most(worst)
            ledger.end(worst, amount.at_most(worst))
        elif action == "hold":
            fits = ledger.hold(amount)
            assert fits == (used + flying + amount).within(limit)
            held = amount if fits else held
        elif action in ("part", "alone"):
            expected = amount.times(0.5) if action == "alone" else None
            part = ledger.part("trial", amount, expected)
            whole = limit.counted(amount).within(left)
            alone = expected is not None and flying == NOTHING and expected.within(left)
            assert (part is not None) == (whole or alone)
            if part is not None:
                assert part.whole == whole
                parts.append(part)
        elif parts:
            part = parts.pop(which % len(parts))
            used += amount.at_most(part.most.known)
            part.close(amount.at_most(part.most.known))
        flying = total([*begun, *(part.most.known for part in parts)])
        assert ledger.spent == used + flying
        assert (used + flying + held).within(limit)


def test_a_part_gets_its_worst_case_or_alone_what_is_left() -> None:
    ledger = Ledger(Limits(100, 1000))
    first = ledger.part("trial 0", Amount(50, 500))
    assert first is not None
    assert first.whole
    assert ledger.part("trial 1", Amount(10, 501), Amount(1, 1)) is None  # it would not be alone
    first.close(Amount(20, 300))
    alone = ledger.part("trial 1", Amount(10, 5000), Amount(5, 700))
    assert alone is not None
    assert (alone.whole, alone.most) == (False, Amount(10, 700, None))
    alone.close(NOTHING)
    assert ledger.part("trial 1", Amount(10, 5000), Amount(5, 701)) is None
    assert ledger.left() == Amount(80, 700, None)


def test_what_is_held_back_or_kept_is_not_for_parts() -> None:
    ledger = Ledger(Limits(100))
    assert ledger.hold(Amount(60))
    assert ledger.part("trial", Amount(41)) is None
    assert ledger.part("trial", Amount(30), keep=Amount(11)) is None
    assert ledger.part("trial", Amount(30), keep=Amount(10)) is not None
    assert not ledger.hold(Amount(71))
    assert ledger.hold(Amount(70))
    assert ledger.left().calls == 0


def test_a_currency_without_a_limit_is_not_bounded() -> None:
    ledger = Ledger(Limits(tokens=100))
    assert ledger.part("trial", Amount(5, 51, 10**12)) is not None
    assert ledger.part("trial", Amount(5, 50, 0)) is None
    assert ledger.begin(Amount(10**6, 49, None))
    assert ledger.spent == Amount(5 + 10**6, 100, 0)


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Limits(-1)
    with pytest.raises(ValueError, match="can't begin"):
        Ledger(Limits()).begin(Amount(-1))


def test_threads_together_take_no_more_than_the_limit() -> None:
    ledger = Ledger(Limits(500))

    def work() -> None:
        for _ in range(200):
            if ledger.begin(Amount(3)):
                ledger.end(Amount(3), Amount(2))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 498 <= ledger.spent.calls <= 500
    assert ledger.in_flight == NOTHING
