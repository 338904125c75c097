"""The clock of calls goes on where a test of the pipeline has fixed the time."""

from __future__ import annotations

import time

import freezegun
import pytest
import time_machine

from pytest_mipro.runtime.client.clock import elapsed, real_time


@pytest.mark.parametrize(
    "fixed",
    [
        freezegun.freeze_time("1975-01-01"),
        time_machine.travel("1975-01-01T00:00:00Z", tick=False),
        time_machine.travel("2199-01-01T00:00:00Z", tick=True),
    ],
    ids=["freezegun", "time-machine", "time-machine-ticking"],
)
def test_the_time_is_real_and_goes_on(fixed: time_machine.travel) -> None:
    began, before = elapsed(), time.time()
    with fixed:
        assert abs(time.time() - before) > 10**9
        assert before - 1 < real_time() < before + 60
        assert began <= elapsed() < began + 60
    assert before - 1 < real_time() < before + 60
