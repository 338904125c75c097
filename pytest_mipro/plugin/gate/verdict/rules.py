"""Apply the rules that a test is judged by: threshold, regression against the lock, groups.

The `doubt` of a rule says what there are too few cases to tell: the threshold lies within the
interval of the mean, or a fall may be chance or may go unseen.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_mipro.optimizer.statistics.distributions import LEVEL
from pytest_mipro.optimizer.statistics.intervals import (
    detectable_distance,
    judged_mean,
    sure_fall,
)
from pytest_mipro.plugin.collecting.plan import TestPlan
from pytest_mipro.plugin.config.options import GateOn
from pytest_mipro.plugin.gate.verdict.case_statistics import mean_of, scored_rows
from pytest_mipro.plugin.gate.verdict.verdict_types import Comparison, Group, Rule, Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.runtime.score import ROUNDING
from pytest_mipro.runtime.text.number_words import apart, counted, plain

_FEW = "too few cases to tell"
_NAMED = 3


def threshold_rule(plan: TestPlan, judged: Sequence[CaseResult], on: GateOn) -> Rule | None:
    """Return whether the mean, or with `confidence` its lower bound, reaches the threshold."""
    if plan.threshold is None:
        return None
    threshold, scores = plan.threshold, scored_rows(judged)
    mean = mean_of(judged).mean or 0.0
    value, bounds = judged_mean(*scores, plan.confidence)
    sure = "" if plan.confidence is None else f" at {plan.confidence:.4g} confidence"
    what = f"lower bound{sure}" if sure else "mean"
    held = value >= threshold - ROUNDING
    doubt, words = "", f"threshold {plain(threshold)} reached{sure}"
    if not held:
        of = "holdout " if on == "holdout" else ""
        shown, needed, short = apart(value, threshold)
        words = f"{of}{what} {shown} is below the threshold {needed} by {short}"
    # No number of cases excludes a threshold of 1 from above.
    if bounds.low < threshold <= bounds.high and threshold < 1:
        shown, limit = f"{mean:.2f}", plain(threshold)
        apart_from = f"{shown} from {limit}" if shown != limit else f"the side of {limit}"
        doubt = f"{_FEW} {apart_from}: {_detects(len(judged), detectable_distance(*scores))}"
    return Rule("threshold", held, words, value, threshold, doubt)


def regression_rule(plan: TestPlan, comparison: Comparison | None) -> Rule | None:
    """Return whether the mean surely fell by more than `max_regression` against the lock.

    The rule fails where the one-sided lower bound of the paired fall is above the limit, at the
    mark's `confidence` or 95 %.
    """
    if plan.max_regression is None or comparison is None:
        return None
    lift, limit = comparison.lift, plan.max_regression
    level = LEVEL if plan.confidence is None else plan.confidence
    least, most = sure_fall(lift, plan.confidence), -lift.lower(level)
    held = least <= limit + ROUNDING
    fell = f"the mean fell by {-lift.mean:.2f} against the lock"
    doubt, words = "", "no regression"
    if not held:
        shown, allowed, _ = apart(least, limit)
        words = f"{fell}, surely by {shown}, above {allowed}"
    elif most > limit + ROUNDING:
        detect = counted(lift.rows, "row detects", "rows detect")
        seen = f"{detect} one of {limit + lift.detectable(level):.2f}"
        doubt = f"{_FEW} a fall of more than {plain(limit)} from none: {seen}"
        if -lift.mean > limit + ROUNDING:
            words = f"{fell}, which may be chance"
    return Rule("max_regression", held, words, least, limit, doubt)


def group_rule(plan: TestPlan, groups: Sequence[Group], unscored: Sequence[str]) -> Rule | None:
    """Return whether each group may have a mean at or above the threshold.

    `unscored` are the groups that no judged case with a score belongs to.
    """
    if plan.threshold is None or not groups:
        return None
    failed = [group for group in groups if group.failed]
    lowest = min(group.mean.mean or 0.0 for group in groups)
    named = ", ".join(
        f"{plan.group}={group.name} (mean {apart(group.mean.mean or 0.0, plan.threshold)[0]}, "
        f"p {format_p_value(group.p_value)})"
        for group in failed
    )
    words = f"below the threshold {plain(plan.threshold)} in {named}" if failed else ""
    # The interval of a small group is wide: a low mean in it may be chance, or a group that fails.
    below = (each for each in groups if (each.mean.mean or 0.0) < plan.threshold - ROUNDING)
    low = [group.name for group in below if not group.failed]
    doubts = [f"{_FEW} {_names(plan, low)} from {plain(plan.threshold)}"] if low else []
    doubts += [f"no case to judge {_names(plan, unscored)} by has a score"] if unscored else []
    return Rule("group", not failed, words, lowest, plan.threshold, "; ".join(doubts))


def _names(plan: TestPlan, groups: Sequence[str]) -> str:
    more = f" and {len(groups) - _NAMED} more" if len(groups) > _NAMED else ""
    return f"{plan.group}={', '.join(groups[:_NAMED])}{more}"


def describe_detectable(verdict: Verdict) -> list[str]:
    """Return which differences this many cases can detect, where no doubt of a rule says it."""
    lines = []
    rules = {rule.name: rule for rule in verdict.rules}
    threshold, regression = rules.get("threshold"), rules.get("max_regression")
    if threshold is not None and not threshold.doubt and verdict.detectable is not None:
        scored = verdict.holdout if verdict.judged_on == "holdout" else verdict.whole
        cases = scored.cases if scored else 0
        lines.append(f"{_detects(cases, verdict.detectable)} from the threshold")
    if verdict.comparison is not None and (regression is None or not regression.doubt):
        lift = verdict.comparison.lift
        detect = counted(lift.rows, "row detects", "rows detect")
        lines.append(f"{detect} a difference of {_distance(lift.detectable())} from the lock")
    return lines


def format_p_value(p_value: float | None) -> str:
    """Return a p-value with three digits, or that it is smaller."""
    if p_value is None:
        return ""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _detects(cases: int, distance: float) -> str:
    return f"{counted(cases, 'case detects', 'cases detect')} a distance of {_distance(distance)}"


def _distance(value: float) -> str:
    """Return a distance with two digits, or as many as show that it is one."""
    return f"{value:.2f}" if value >= 0.005 else f"{value:.1g}"
