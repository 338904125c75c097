"""The rules that a test is judged by, each with what it found in words.

`doubt` of a rule is what the cases are too few to tell: where the threshold lies within the
interval of the mean, or where a fall may be chance or could hide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.statistics.intervals import mean_interval
from pytest_mipro.optimizer.statistics.threshold_tests import detectable_distance
from pytest_mipro.plugin.config.words import apart, counted, plain
from pytest_mipro.plugin.gate.means import mean_of, scored_rows
from pytest_mipro.plugin.gate.verdict import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.plugin.collecting.plan import TestPlan
    from pytest_mipro.plugin.config.options import GateOn
    from pytest_mipro.plugin.gate.verdict import CaseResult, Comparison, Group, Verdict

_ROUNDING = 1e-9
_FEW = "too few cases to tell"
_NAMED = 3


def threshold_rule(plan: TestPlan, judged: Sequence[CaseResult], on: GateOn) -> Rule | None:
    """Return whether the mean, or with `confidence` its lower bound, reaches the threshold."""
    if plan.threshold is None:
        return None
    mean = mean_of(judged).mean or 0.0
    sure = "" if plan.confidence is None else f" at {plan.confidence:.4g} confidence"
    what, value = f"{_of(on)}mean", mean
    bounds = mean_interval(*scored_rows(judged))
    if plan.confidence is not None:
        what = f"{_of(on)}lower bound{sure}"
        bounds = mean_interval(*scored_rows(judged), 2 * plan.confidence - 1)
        value = bounds.low
    held = value >= plan.threshold - _ROUNDING
    if held:
        words = f"threshold {plain(plan.threshold)} reached{sure}"
    else:
        shown, needed, short = apart(value, plan.threshold)
        words = f"{what} {shown} is below the threshold {needed} by {short}"
    doubt = ""
    # No number of cases excludes a threshold of 1 from above.
    if bounds.low < plan.threshold <= bounds.high and plan.threshold < 1:
        distance = detectable_distance(*scored_rows(judged))
        shown, limit = f"{mean:.2f}", plain(plan.threshold)
        apart_from = f"{shown} from {limit}" if shown != limit else f"the side of {limit}"
        cases = counted(len(judged), "case")
        doubt = f"{_FEW} {apart_from}: {cases} detect a distance of {distance:.2f}"
    return Rule("threshold", held, words, value, plan.threshold, doubt)


def regression_rule(plan: TestPlan, comparison: Comparison | None) -> Rule | None:
    """Return whether the mean fell against the lock by more than `max_regression`, and surely.

    It fails where the paired drop is larger and its one-sided 95 % lower bound is above 0.
    """
    if plan.max_regression is None or comparison is None:
        return None
    lift = comparison.lift
    drop, limit = -lift.mean, plan.max_regression
    larger = drop > limit + _ROUNDING
    held = not larger or comparison.sure_drop <= 0
    rows = counted(lift.rows, "row")
    seen = f"{rows} detect one of {lift.detectable():.2f}"
    doubt = ""
    if not held:
        shown, allowed, more = apart(drop, limit)
        words = f"the mean fell by {shown} against the lock, more than {allowed} by {more}"
    elif larger:
        words = f"the mean fell by {apart(drop, limit)[0]} against the lock, which may be chance"
        doubt = f"{_FEW} this fall from chance: {seen}"
    else:
        words = "no regression"
        if -lift.lower_one_sided > limit + _ROUNDING:
            doubt = f"{_FEW} a fall of {plain(limit)} from none: {seen}"
    return Rule("max_regression", held, words, drop, limit, doubt)


def group_rule(plan: TestPlan, groups: Sequence[Group]) -> Rule | None:
    """Return whether each group may have a mean at or above the threshold."""
    if plan.threshold is None or not groups:
        return None
    failed = [group for group in groups if group.failed]
    lowest = min(group.mean.mean or 0.0 for group in groups)
    told = [
        f"{plan.group}={group.name} (mean {group.mean.mean:.2f}, p {small(group.p_value)})"
        for group in failed
    ]
    words = f"below the threshold {plain(plan.threshold)} in {', '.join(told)}" if failed else ""
    # The interval of a small group is wide: a low mean in it may be chance, or a group that fails.
    low = [
        group.name
        for group in groups
        if not group.failed and (group.mean.mean or 0.0) < plan.threshold - _ROUNDING
    ]
    more = f" and {len(low) - _NAMED} more" if len(low) > _NAMED else ""
    names = f"{plan.group}={', '.join(low[:_NAMED])}{more}"
    doubt = f"{_FEW} {names} from {plain(plan.threshold)}" if low else ""
    return Rule("group", not failed, words, lowest, plan.threshold, doubt)


def detects(verdict: Verdict) -> list[str]:
    """Return which differences this many cases can detect, where no doubt of a rule says it."""
    told = []
    rules = {rule.name: rule for rule in verdict.rules}
    threshold, regression = rules.get("threshold"), rules.get("max_regression")
    if threshold is not None and not threshold.doubt and verdict.detectable is not None:
        scored = verdict.holdout if verdict.judged_on == "holdout" else verdict.whole
        cases = counted(scored.cases if scored else 0, "case")
        told.append(f"{cases} detect a distance of {verdict.detectable:.2f} from the threshold")
    if verdict.comparison is not None and (regression is None or not regression.doubt):
        lift = verdict.comparison.lift
        rows = counted(lift.rows, "row")
        told.append(f"{rows} detect a difference of {lift.detectable():.2f} from the lock")
    return told


def small(p_value: float | None) -> str:
    """Return a p-value with three digits, or that it is smaller."""
    if p_value is None:
        return ""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _of(on: GateOn) -> str:
    return "holdout " if on == "holdout" else ""
