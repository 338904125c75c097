"""Say what a plan's rows can tell, which belong together, and which cases disturb others."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_mipro.optimizer.measuring.disturbance import Disturbed
from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.statistics.decide import rows_for_lift
from pytest_mipro.optimizer.study.split import MIN_APART, Split
from pytest_mipro.plugin.config.number_words import counted


def describe_power(split: Split, detectable: float) -> str:
    """Return what the deciding rows can tell."""
    if split.decides:
        wanted = " and ".join(
            f"{rows_for_lift(lift):,} rows in all would one of {lift}" for lift in (0.2, 0.1)
        )
        return f"detect a lift of {detectable:.2f} in 70 % of runs; {wanted}"
    return (
        "decide nothing, as instructions are written from the rows that would decide: only "
        f"--mipro-accept=likely writes a finalist; {MIN_APART} untagged rows or more are kept apart"
    )


def describe_related(plan: Plan) -> list[str]:
    """Return which rows count as one, and which nearly are one and do not."""
    units, near, lines = plan.split.units, plan.near, []
    if twins := len(units) - len(set(units.values())):
        lines.append(
            f"{counted(twins, 'row')} with the inputs or the cluster of another: they stay "
            f"together and count as one, {len(units) - twins:,} in all, {plan.split.deciding:,} to "
            "decide by"
        )
    if near is not None:
        lines.append(
            f"{counted(near.count, 'row')} to decide by with nearly the text of one that the "
            f"search uses, as {near.row} and {near.like}: a column `cluster` keeps them together"
        )
    return lines


def describe_disturbed(disturbed: Sequence[Disturbed]) -> list[str]:
    """Return for which tests all cases run one at a time; nothing where there are none."""
    if not disturbed:
        return []
    tests = ", ".join(f"{each.test} ({each.cases} of {each.sample})" for each in disturbed)
    line = (
        f"cases score otherwise beside others than alone: {tests}. All run one at a time now; mark "
        "a test that changes what they share (a patched module, os.environ, the folder) "
        "concurrent=False"
    )
    return [line]
