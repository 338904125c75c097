"""What a search could have found is no less than what it tried, and that no less than it wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.comparison.ceiling import ceiling
from benchmarks.comparison.quick import Setup, run
from benchmarks.comparison.worlds import WORLDS

SETUP = Setup("light", "tpe", (), labels=True)


def test_the_best_of_all_the_best_tried_and_what_was_written_stand_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = WORLDS["named"](0)
    small = replace(whole, test_rows=whole.test_rows[:40])
    monkeypatch.setitem(WORLDS, "named", lambda _seed: small)
    few = replace(SETUP, rows=90)
    found = ceiling("named", 0, few)
    assert found.written == run("named", 0, few).after
    assert found.written <= found.tried <= found.best
