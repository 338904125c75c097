"""Name the properties of test cases in JUnit XML: scores and costs, the figures of a verdict."""

from __future__ import annotations

from pytest_mipro.plugin.gate.verdict import Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.runtime.text.redaction import one_line

PREFIX = "mipro_"
Properties = list[tuple[str, object]]


def case_properties(result: CaseResult) -> Properties:
    """Return a case's properties: score and metrics where it has them, and what its calls took."""
    outcome, usage = result.outcome, result.usage
    found: Properties = [] if outcome.score is None else [(f"{PREFIX}score", outcome.score)]
    found += [(f"{PREFIX}metric_{one_line(n, 80)}", value) for n, value in outcome.metrics.items()]
    found += [(f"{PREFIX}calls", usage.calls), (f"{PREFIX}tokens", usage.tokens)]
    if usage.cost is not None:
        found.append((f"{PREFIX}cost", usage.cost))
    return found


def verdict_properties(verdict: Verdict) -> Properties:
    """Return a verdict's properties: mean with interval, limits, and the lift over the lock."""
    plan, comparison = verdict.plan, verdict.comparison
    found: dict[str, object] = {
        "status": verdict.status,
        "judged_on": verdict.judged_on,
        "cases": verdict.whole.cases,
    }
    for name, mean in (("", verdict.whole), ("holdout_", verdict.holdout)):
        if mean is not None and mean.mean is not None:
            low, high = mean.interval.low, mean.interval.high
            found |= {f"{name}mean": mean.mean, f"{name}low": low, f"{name}high": high}
    limits = {name: getattr(plan, name) for name in ("threshold", "confidence", "max_regression")}
    found |= {name: value for name, value in limits.items() if value is not None}
    if comparison is not None:
        lift = comparison.lift
        found |= {"lift": lift.mean, "lift_low": lift.low, "lift_high": lift.high}
    return [(f"{PREFIX}{name}", value) for name, value in found.items()]
