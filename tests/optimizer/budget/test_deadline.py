"""The time of a run: what is left of it, what is kept, and what is said at its end."""

import pytest

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.budget.limits import Deadline


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_limit_time_is_never_up() -> None:
    deadline = Deadline()
    deadline.keep(10**9)
    deadline.check()
    assert deadline.left() is None


def test_what_is_kept_is_left_for_later() -> None:
    clock = Clock()
    deadline = Deadline(60, clock)
    deadline.keep(20)
    clock.now += 30
    assert (deadline.passed, deadline.left()) == (30, 10)
    deadline.check()
    clock.now += 10
    used_up = "^the limit of 60 seconds is used up"
    with pytest.raises(LimitReachedError, match=f"{used_up} but for 20 seconds kept for the dec"):
        deadline.check()
    deadline.keep(0)
    deadline.check()
    assert deadline.left() == 20
    clock.now += 20
    with pytest.raises(LimitReachedError, match=f"{used_up}$"):
        deadline.check()
