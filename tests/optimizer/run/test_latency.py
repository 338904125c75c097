"""The mean latency is that of the calls that have one: recorded replies have none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_runs import call
from optimizer_world import note

from pytest_mipro.optimizer.run.latency import mean_latency


@pytest.mark.parametrize(
    ("made", "mean"),
    [
        ([(2.0, 1), (4.0, 1)], 3.0),
        ([(2.0, 1), (4.0, 2)], 2.0),  # one of them with a corrective retry
        ([(2.0, 1), (0.0, 1), (0.0, 1), (4.0, 1)], 3.0),
        ([(0.0, 1)], 0.0),
        ([], 0.0),
    ],
)
def test_calls_without_a_latency_have_no_say(made: list[tuple[float, int]], mean: float) -> None:
    one = call(note, "a", "b")
    assert mean_latency([replace(one, latency=took, requests=n) for took, n in made]) == mean
