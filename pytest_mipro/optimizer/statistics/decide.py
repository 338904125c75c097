"""Decide whether the finalist is better than the committed prompts, and say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_mipro.optimizer.statistics.intervals import LEVEL, PairedLift, detectable_difference
from pytest_mipro.optimizer.study.split import Split

Verdict = Literal["accept", "unconfirmed", "reject"]

UNCONFIRMED = "not independently confirmed"


@dataclass(frozen=True)
class Evidence:
    """Where the lift comes from: `holdout` rows, or validation rows, which the search used, too.

    The finalist is the best of `tried` assignments. `holdout_uses` counts the uses of this holdout,
    this one included. With `shared`, the proposals were written from the rows that decide.
    """

    holdout: bool
    tried: int = 1
    holdout_uses: int = 1
    shared: bool = False


@dataclass(frozen=True)
class Decision:
    """The decision on a finalist.

    `verdict` is "accept": better on holdout rows; "unconfirmed": better on validation rows,
    corrected for the selection, and written with the label "not independently confirmed"; or
    "reject": not written. `reason` says why in one line. `lift` is the paired lift of the finalist
    over the committed prompts, `bound` its one-sided lower bound, which was compared with 0.
    """

    verdict: Verdict
    reason: str
    lift: PairedLift
    bound: float

    @property
    def accepted(self) -> bool:
        """Whether the finalist may be written."""
        return self.verdict != "reject"


def decide(
    lift: PairedLift, evidence: Evidence, failed: Sequence[str] = (), level: float = LEVEL
) -> Decision:
    """Return the decision: accept iff the one-sided lower bound of the lift is above 0.

    On validation rows the level is Bonferroni-adjusted for `evidence.tried`: the best of many is
    tested on the rows that chose it, and false acceptances must stay below 1 - `level`. `failed`
    names tests whose threshold the finalist fails and the committed prompts met (`newly_failed`):
    it is then rejected whatever its lift.
    """
    adjusted = level if evidence.holdout else bonferroni_level(level, evidence.tried)
    bound = lift.lower(adjusted)
    facts = _facts(lift, evidence, level, bound)
    if failed:
        tests = ", ".join(failed)
        reason = f"fails the threshold of {tests}, which the committed prompts met; {facts}"
        return Decision("reject", reason, lift, bound)
    if bound > 0:
        verdict: Verdict = "accept" if evidence.holdout else "unconfirmed"
        return Decision(verdict, f"better: {facts}", lift, bound)
    if lift.mean <= 0:
        return Decision("reject", f"not better: {facts}", lift, bound)
    detectable = lift.detectable(adjusted)
    reason = (
        f"too few rows to tell: {facts}; "
        f"{lift.rows} rows detect a difference of {detectable:.3f} in 70 % of runs"
    )
    return Decision("reject", reason, lift, bound)


def detectable_lift(split: Split, trials: int) -> float:
    """Return the lift (0…1) that a study's decision would detect in 70 % of runs, as planned.

    Without holdout rows, the level is adjusted for `trials` candidates, as `decide` does.
    """
    level = LEVEL if split.confirmed else bonferroni_level(LEVEL, trials)
    return detectable_difference(len(split.holdout or split.validation), level=level)


def bonferroni_level(level: float, tried: int) -> float:
    """Return the level of each of `tried` tests that together err in at most 1 - `level`."""
    return 1 - (1 - level) / max(1, tried)


def newly_failed(
    before: Mapping[str, float], after: Mapping[str, float], thresholds: Mapping[str, float]
) -> tuple[str, ...]:
    """Return the tests, sorted, whose mean met its threshold `before` and fails it `after`.

    Means and thresholds are in 0…1 by test; tests without a threshold are not judged.
    """
    return tuple(
        test
        for test, threshold in sorted(thresholds.items())
        if before[test] >= threshold > after[test]
    )


def _facts(lift: PairedLift, evidence: Evidence, level: float, bound: float) -> str:
    rows = "holdout" if evidence.holdout else "validation"
    text = (
        f"lift {lift.mean:+.3f} [{lift.low:.3f}, {lift.high:.3f}] on {lift.rows} {rows} rows, "
        f"one-sided {100 * level:g} % lower bound {bound:+.3f}"
    )
    if not evidence.holdout:
        text = f"{text} after {evidence.tried} assignments tried, {UNCONFIRMED}"
        return f"{text}: its instructions were written from these rows" if evidence.shared else text
    if evidence.holdout_uses > 1:
        return (
            f"{text}; look {evidence.holdout_uses} at this holdout, so the interval is optimistic"
        )
    return text
