"""Say what a plan's rows can tell, which belong together, and which cases disturb others."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_mipro.optimizer.measuring.disturbance import Disturbed
from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.statistics.decide import rows_for_lift
from pytest_mipro.optimizer.study.split import MIN_APART, Split
from pytest_mipro.runtime.text.number_words import counted


def count_rows(split: Split, rows: Sequence[str], what: str = "") -> str:
    """Return how many rows there are, and how many clusters where some count as one."""
    clusters = split.clusters(rows)
    apart = f" ({counted(clusters, 'cluster')})" if clusters != len(rows) else ""
    return f"{len(rows):,} {what}{apart}" if what else f"{counted(len(rows), 'row')}{apart}"


def describe_power(split: Split, detectable: float, look: int = 1) -> str:
    """Return what the deciding rows can tell at the `look`-th use of them."""
    part = "holdout" if split.confirmed else "validation"
    deciding = split.holdout or split.validation
    one = len(deciding) == 1
    rows = count_rows(split, deciding, f"{part} row{'' if one else 's'}")
    if split.decides:
        alone = " alone" if split.confirmed else ""
        detect = "detects" if one else "detect"
        text = f"the {rows}{alone} {detect} a lift of {detectable:.2f} in 70 % of runs"
        if split.confirmed and look > 1:
            text += f" (look {look} at this holdout)"
        smaller = [lift for lift in (0.2, 0.1) if lift < detectable]
        wanted = (f"; one of {lift:.2f} takes {rows_for_lift(lift):,} in all" for lift in smaller)
        return text + "".join(wanted)
    return (
        f"the {rows} decide nothing, as instructions are written from them: only "
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
    tests = ", ".join(f"{each.test} ({each.cases:,} of {each.sample:,})" for each in disturbed)
    line = (
        f"cases score otherwise beside others than alone: {tests}. All run one at a time now; mark "
        "a test that changes what they share (a patched module, os.environ, the folder) "
        "concurrent=False"
    )
    return [line]
