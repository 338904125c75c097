"""Properties of test cases in JUnit XML: what a case scored and took, what a verdict rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mipro.runtime.text.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mipro.plugin.gate.verdict import Verdict

PREFIX = "mipro_"
Properties = list[tuple[str, object]]


def case_properties(data: Mapping[str, Any]) -> Properties:
    """Return a case's properties: score and metrics where it has them, and what its calls took.

    `data` is what `case_data` made of the case.
    """
    outcome, usage = data["outcome"], data["usage"]
    found: Properties = []
    if outcome["score"] is not None:
        found.append((f"{PREFIX}score", outcome["score"]))
    for name, value in outcome["metrics"].items():
        found.append((f"{PREFIX}metric_{one_line(name, 80)}", value))
    found += [(f"{PREFIX}{name}", usage[name]) for name in ("calls", "tokens")]
    if usage["cost"] is not None:
        found.append((f"{PREFIX}cost", usage["cost"]))
    return found


def verdict_properties(verdict: Verdict) -> Properties:
    """Return a verdict's properties: mean with interval, limits, and the lift over the lock."""
    found: Properties = [
        (f"{PREFIX}status", verdict.status),
        (f"{PREFIX}judged_on", verdict.judged_on),
        (f"{PREFIX}cases", verdict.whole.cases),
    ]
    for name, mean in (("", verdict.whole), ("holdout_", verdict.holdout)):
        if mean is not None and mean.mean is not None:
            found += [
                (f"{PREFIX}{name}mean", mean.mean),
                (f"{PREFIX}{name}low", mean.interval.low),
                (f"{PREFIX}{name}high", mean.interval.high),
            ]
    found += [
        (f"{PREFIX}{name}", value)
        for name, value in (
            ("threshold", verdict.plan.threshold),
            ("confidence", verdict.plan.confidence),
            ("max_regression", verdict.plan.max_regression),
        )
        if value is not None
    ]
    if verdict.comparison is not None:
        lift = verdict.comparison.lift
        found += [
            (f"{PREFIX}lift", lift.mean),
            (f"{PREFIX}lift_low", lift.low),
            (f"{PREFIX}lift_high", lift.high),
        ]
    return found
