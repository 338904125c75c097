"""What the plan of a run says."""

from dataclasses import replace

import pytest
from watched_study import PLAN

from pytest_mipro.plugin.optimise.lines.plan_lines import describe_plan


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (("m",), "4 trials of 16 rows in 3 rounds"),
        (("m", "n"), "4 trials of 16 rows (or more of one module each) in 3 rounds"),
    ],
)
def test_a_pipeline_may_have_more_trials(modules: tuple[str, ...], said: str) -> None:
    assert said in describe_plan(replace(PLAN, modules=modules), {})
