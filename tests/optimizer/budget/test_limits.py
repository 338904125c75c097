"""Which limit does not hold what comes next: the words, and the value that is enough."""

import pytest

from pytest_mipro.optimizer.budget.limits import Limit, shortage
from pytest_mipro.optimizer.study.amount import Amount, Limits

CENT = 10_000_000
NEXT = Amount(30, 4_000, 25 * CENT + 1)


TAKEN = Amount(80, 6_500, 90 * CENT)


@pytest.mark.parametrize(
    ("limits", "told", "enough"),
    [
        (Limits(100), "the limit of 100 calls leaves 20 calls, it needs about 30 calls", "110"),
        (
            Limits(None, 9_000),
            "the limit of 9,000 tokens leaves 2,500 tokens, it needs about 4,000 tokens",
            "10,500",
        ),
        (
            Limits(500, None, 100 * CENT),
            "the limit of $1 leaves $0.1000, it needs about $0.2500",
            "1.1501",
        ),
    ],
)
def test_the_limit_what_it_leaves_and_what_is_needed(limits, told, enough) -> None:  # type: ignore[no-untyped-def]
    short = shortage(limits, TAKEN, NEXT)
    assert short is not None
    assert short.describe("it") == told
    assert short.enough() == enough


def test_a_limit_of_money_has_the_digits_it_was_given() -> None:
    given = {"15.2": 15_200_000_000, "1,000": 1_000_000_000_000, "0.00001": 10_000}
    for said, nanodollars in given.items():
        assert str(Limit("nanodollars", nanodollars)) == f"the limit of ${said}"


def test_what_follows_is_added_to_what_is_enough() -> None:
    short = shortage(Limits(100), TAKEN, NEXT)
    assert short is not None
    assert short.enough(Amount(7)) == "117"


def test_nothing_is_short_where_all_limits_hold_it() -> None:
    assert shortage(Limits(110, 10_500), TAKEN, NEXT) is None
    assert shortage(Limits(), TAKEN, NEXT) is None
    assert shortage(Limits(None, 9_000), TAKEN, Amount(1, None)) is None
