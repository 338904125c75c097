"""The forecast: what candidates' demos add to what the committed prompts took."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import call
from optimizer_world import note, sort

from pytest_mipro.optimizer.run.forecast import Forecaster, StageSize
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

NOTE = note.signature.prompt_path
DEMOS = tuple(Demo(f"r{n}", {"text": "x"}, "A") for n in range(8))
ALONE = 200


def expected(usage: int, committed: dict[Path, Prompt], *, module: Any = note) -> int:
    """Return the tokens that a search of one call is expected to take."""
    made = replace(call(module, "a", "A"), usage=Usage(usage, 0), requests=1)
    forecaster = Forecaster(
        {"a": (made,)}, (1, 1), lambda _: None, committed, demos=8, demo_tokens=4000
    )
    plan = forecaster.forecast([StageSize("search", 1, 1)], Amount(), "test/fake")
    assert plan.expected.calls == 1
    return plan.expected.tokens or 0


def test_demos_of_candidates_come_on_top_of_a_prompt_without_any() -> None:
    assert expected(ALONE, {NOTE: Prompt("Note it.")}) == pytest.approx(5.8 * ALONE)


@pytest.mark.parametrize(("there", "shown"), [(2, 4.8), (4, 4.8), (8, 8)])
def test_demos_that_are_there_already_are_not_counted_again(there: int, shown: float) -> None:
    took = expected((1 + there) * ALONE, {NOTE: Prompt("Note it.", DEMOS[:there])})
    assert took == pytest.approx((1 + shown) * ALONE)


def test_a_frozen_module_shows_no_more_demos() -> None:
    assert expected(ALONE, {NOTE: Prompt("Note it.")}, module=sort) == ALONE
