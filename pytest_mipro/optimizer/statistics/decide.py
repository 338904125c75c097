"""Decide whether the finalist is better than the committed prompts, and say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from pytest_mipro.optimizer.statistics.combination import Combined
from pytest_mipro.optimizer.statistics.distributions import ALPHA
from pytest_mipro.optimizer.statistics.intervals import PairedLift
from pytest_mipro.optimizer.statistics.notation import with_interval
from pytest_mipro.optimizer.statistics.power import detectable_difference, rows_to_detect
from pytest_mipro.optimizer.study.settings import Accept
from pytest_mipro.optimizer.study.split import HOLDOUT_SHARE, MIN_APART, MIN_HOLDOUT, Split
from pytest_mipro.runtime.text.number_words import counted

Verdict = Literal["accept", "unconfirmed", "likely", "undecided", "reject"]

UNCONFIRMED = "not independently confirmed"
# The part of the error that the first look at a holdout spends.
_FIRST_LOOK = 0.8
# How often a finalist that is called likely better may be none.
_LIKELY_ERROR = 0.2
_WRITTEN: Mapping[Accept, tuple[Verdict, ...]] = {
    "better": ("accept", "unconfirmed"),
    "likely": ("accept", "unconfirmed", "likely", "undecided"),
}


@dataclass(frozen=True)
class Evidence:
    """Where the lift comes from: `holdout` rows, or validation rows, which the search used, too.

    The finalist is the best of `tried` assignments, and the `look`-th to be measured on this
    holdout. `kept` is its lift on the validation rows that were kept from trials, where these help
    to decide: there it is the best of at most so many `leaders`, none with an instruction that was
    written from them. Of the deciding rows, so many are `training` rows. With `shared`, validation
    rows decide that the proposals were written from.
    `rows` counts the deciding rows where some count as one, else it is 0.
    """

    holdout: bool
    tried: int = 1
    look: int = 1
    shared: bool = False
    rows: int = 0
    kept: PairedLift | None = None
    leaders: int = 1
    training: int = 0

    def lower(self, lift: PairedLift, level: float) -> float:
        """Return the one-sided lower bound of a lift on the deciding rows, by all the evidence."""
        if self.kept is None:
            return lift.lower(level)
        return Combined(lift, self.kept, self.leaders).lower(level)

    @property
    def level(self) -> float:
        """The level of the bound that decides, at which a study errs in at most `ALPHA` of cases.

        The first look at a holdout spends four fifths of it, as most studies need no other, and the
        k-th 1/(k(k-1)) of the rest: all looks together spend `ALPHA`, however many there will be.
        On validation rows the best of several is tested on the rows that chose it, and each has its
        part of the error (Bonferroni).
        """
        if not self.holdout:
            return 1 - ALPHA / max(1, self.tried)
        if self.look == 1:
            return 1 - ALPHA * _FIRST_LOOK
        return 1 - ALPHA * (1 - _FIRST_LOOK) / (self.look * (self.look - 1))

    @property
    def likely_level(self) -> float:
        """The level of the bound of a finalist that is likely better, whatever look this is."""
        return 1 - _LIKELY_ERROR / (1 if self.holdout else max(1, self.tried))


@dataclass(frozen=True)
class Decision:
    """The decision on a finalist.

    `verdict` is "accept": better on rows that did not choose it; "unconfirmed": better on
    validation rows, corrected for the selection, with the label "not independently confirmed";
    "likely": better by four to one; "undecided": the rows are so few that the proposals were
    written from those that decide; or "reject". `accepted` says whether it may be written: the
    first two, the next two only on demand. `reason` says why in one line. `lift` is the paired lift
    of the finalist over the committed prompts, `bound` its one-sided lower bound at `level`, which
    was compared with 0.
    """

    verdict: Verdict
    accepted: bool
    reason: str
    lift: PairedLift
    bound: float
    level: float

    @property
    def on_demand(self) -> bool:
        """Whether the finalist is not shown to be better, and accepted only on demand."""
        return self.verdict in ("likely", "undecided")


def decide(
    lift: PairedLift, evidence: Evidence, failed: Sequence[str] = (), accept: Accept = "better"
) -> Decision:
    """Return the decision: better iff the one-sided lower bound of the lift is above 0.

    `failed` names tests whose gate the finalist fails and the committed prompts met: it is then
    rejected whatever its lift. With `accept` "likely" it is also accepted where its lift is only
    likely, or where the rows are too few to decide.
    """
    bound = evidence.lower(lift, evidence.level)
    verdict, reason = _verdict(lift, evidence, bound, failed)
    return Decision(verdict, verdict in _WRITTEN[accept], reason, lift, bound, evidence.level)


def _verdict(
    lift: PairedLift, evidence: Evidence, bound: float, failed: Sequence[str]
) -> tuple[Verdict, str]:
    facts = _facts(lift, evidence, bound)
    if failed:
        tests = ", ".join(failed)
        return "reject", f"fails the gate of {tests}, which the committed prompts met; {facts}"
    if lift.mean <= 0:
        return "reject", f"not better: {facts}"
    if evidence.shared:
        return "undecided", f"so few rows decide nothing: {facts}; {_rows_wanted(lift)}"
    if bound > 0:
        return ("accept" if evidence.holdout else "unconfirmed"), f"better: {facts}"
    detectable, enough = lift.detectable(evidence.level), lift.rows_to_detect(evidence.level)
    what = "rows" if evidence.rows in (0, lift.rows) else "clusters"
    power = f"{lift.rows:,} {what} alone detect a difference of {detectable:.3f} in 70 % of runs"
    if lift.mean >= detectable:
        power += ", but did not detect this one"
    elif enough is not None:
        power += f", {enough:,} would detect this one"
    if evidence.lower(lift, evidence.likely_level) > 0:
        return "likely", f"likely better: {facts}; {power}"
    return "reject", f"too few rows to tell: {facts}; {power}"


def detectable_lift(split: Split, trials: int, look: int = 1) -> float:
    """Return the lift (0…1) that a study's holdout alone would detect in 70 % of runs, as planned.

    What the validation rows add to the decision is not counted. The holdout would be used for the
    `look`-th time; without one, the best of `trials` candidates is decided on. 1.0 stands
    for "not even the largest lift", as where training and validation share their rows.
    """
    if not split.decides:
        return 1.0
    level = Evidence(split.confirmed, trials, look).level
    return detectable_difference(split.deciding, level=level)


def rows_for_lift(lift: float) -> int:
    """Return of how many rows in all the holdout detects a lift (0…1) in 70 % of first looks."""
    enough = rows_to_detect(lift, level=Evidence(holdout=True).level)
    if enough is None:
        raise ValueError(f"no number of rows detects a lift of {lift}")
    return ceil(max(MIN_HOLDOUT, enough) / HOLDOUT_SHARE)


def _rows_wanted(lift: PairedLift) -> str:
    """Return from how many rows on something is decided, and how many hold enough of them out."""
    enough = lift.rows_to_detect(Evidence(holdout=True).level)
    words = f"from {MIN_APART} rows on, other rows decide than the search learns from"
    if enough is None:
        return words
    in_all = ceil(max(enough, MIN_HOLDOUT) / HOLDOUT_SHARE)
    return f"{words}, and about {in_all:,} would confirm such a lift on a holdout"


def _facts(lift: PairedLift, evidence: Evidence, bound: float) -> str:
    row = "holdout row" if evidence.holdout else "validation row"
    number = evidence.rows or lift.rows
    on = counted(number, row)
    if training := evidence.training:
        on = f"{number - training:,} holdout and {counted(training, 'training row')}"
    text = f"lift {with_interval(lift.mean, lift.low, lift.high, '+')} on {on}"
    text += f" ({counted(lift.rows, 'cluster')})" if number != lift.rows else ""
    if evidence.shared:
        return f"{text}, from which its instructions were written"
    if evidence.kept:
        best = f" (the best of at most {evidence.leaders})" if evidence.leaders > 1 else ""
        text += f" and {evidence.kept.mean:+.3f} on {evidence.kept.rows:,} kept from trials{best}"
    text += f", one-sided {100 * evidence.level:.4g} % lower bound {bound:+.3f}"
    if evidence.holdout:
        return f"{text} (look {evidence.look} at this holdout)"
    return f"{text} (the best of {evidence.tried} tried), {UNCONFIRMED}"
