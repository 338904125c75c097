"""Judge a test: its measured cases against threshold, lock, holdout and groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pytest_mipro.errors import ConfigurationError, LockError
from pytest_mipro.optimizer.statistics.intervals import detectable_distance
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.optimizer.study.identity import RowTag, units_of
from pytest_mipro.optimizer.study.split import split_rows
from pytest_mipro.plugin.collecting.plan import TestPlan
from pytest_mipro.plugin.config.options import GateOn, options_of
from pytest_mipro.plugin.gate.verdict.case_statistics import (
    compare,
    groups_of,
    locked_scores,
    mean_of,
    metrics_of,
    scored_rows,
    share_passing_all,
    unscored_groups,
)
from pytest_mipro.plugin.gate.verdict.rules import group_rule, regression_rule, threshold_rule
from pytest_mipro.plugin.gate.verdict.verdict_types import Comparison, Rule, Ruling, Verdict
from pytest_mipro.plugin.lock.lock_file import Lock, read_lock
from pytest_mipro.plugin.measuring.measure import RETURNED_NOTHING, Status, returned_nothing
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.runtime.text.number_words import counted

_NONE_HELD_OUT = (
    "none of this test's scored rows is in the study's holdout; tag rows with split=holdout"
)
_PARTIAL = "only part of the study is run, and its rows are held out of all; run it whole"
_ALL_NEW = (
    "max_regression not judged: no case in common with the lock; `pytest --mipro-update-lock` "
    "locks these scores"
)


@dataclass(frozen=True)
class Holdout:
    """The keys of the holdout's rows; where there are none, `problem` says why, with a remedy.

    `units` are the units of the study's rows.
    """

    rows: frozenset[str]
    problem: str = ""
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """What a test is judged against: its study's lock and holdout, and which mean decides.

    `renewed`: this run writes the lock anew.
    """

    lock: Lock | None
    holdout: Holdout
    gate_on: GateOn
    renewed: bool = False


def reference_of(
    config: pytest.Config, path: Path, study: Sequence[CaseResult], *, partial: bool
) -> Reference:
    """Return what the tests of the study with its lock at `path` are judged against.

    `study` holds all measured cases of the study, as its rows are split together; with `partial`
    others are missing, and it is not known which rows are held out.
    """
    options = options_of(config)
    holdout = holdout_of(study, options.min_holdout)
    if partial:
        holdout = replace(holdout, rows=frozenset(), problem=_PARTIAL)
    return Reference(locked(path), holdout, options.gate_on, options.update_lock)


def locked(path: Path) -> Lock | None:
    """Return the lock at the path, None where there is none that can be read."""
    try:
        return read_lock(path)
    except LockError:  # reported at collection; here it can only have broken since
        return None


def holdout_of(results: Iterable[CaseResult], min_holdout: int) -> Holdout:
    """Return the holdout of a study's measured cases, as the optimisation splits them.

    Skipped cases are no part of a study.
    """
    tags = [
        RowTag(case.row, case.split, case.content, case.cluster, case.test, case.seen)
        for case in results
        if not case.outcome.skipped
    ]
    try:
        split = split_rows(tags, min_holdout)
        if split.confirmed:
            return Holdout(frozenset(split.holdout), "", split.units)
        smaller = split_rows(tags, min_holdout=0)
    except ConfigurationError as error:
        return Holdout(frozenset(), str(error), units_of(tags))
    found = smaller.deciding if smaller.confirmed else 0
    return Holdout(
        frozenset(),
        f"the study has {counted(found, 'holdout row')} of the {min_holdout} that it needs; add "
        "cases, tag rows with split=holdout, or lower mipro_min_holdout",
        split.units,
    )


def judge(plan: TestPlan, results: Sequence[CaseResult], reference: Reference) -> Verdict:
    """Return the verdict on a test from its measured cases."""
    units = reference.holdout.units
    results = [replace(result, unit=units.get(result.row, "")) for result in results]
    for place in returned_nothing(result.outcome for result in results):
        results[place] = replace(results[place], outcome=Outcome(None, error=RETURNED_NOTHING))
    statuses = [result.status(plan.pass_score) for result in results]
    counts: dict[Status, int] = {status: statuses.count(status) for status in sorted(set(statuses))}
    held_out = [result for result in results if result.row in reference.holdout.rows]
    judged = held_out if reference.gate_on == "holdout" else results
    comparison = compare(judged, reference.lock)
    verdict = Verdict(
        plan=plan,
        status="each",
        reason="each case by itself",
        whole=mean_of(results),
        counts=counts,
        holdout=mean_of(held_out) if held_out else None,
        judged_on=reference.gate_on,
        comparison=comparison,
        groups=groups_of(judged, plan.threshold),
        missed=_missed(results, plan, comparison),
        broken=tuple(r for r in results if r.outcome.error or r.outcome.failure),
        flaky=_flaky(results, plan),
        pass_all=share_passing_all(results, plan.pass_score) if plan.repeats > 1 else None,
        detectable=detectable_distance(*scored_rows(judged)) if judged else None,
        results=tuple(results),
        held_out=reference.holdout.rows,
        locked=locked_scores(results, reference.lock),
        metrics=metrics_of(results),
    )
    status, reason, rules = _ruling(verdict, judged, reference)
    return replace(verdict, status=status, reason=reason, rules=rules)


def _missed(
    results: Sequence[CaseResult], plan: TestPlan, comparison: Comparison | None
) -> tuple[CaseResult, ...]:
    """Return the cases below the pass score that are not among the regressed ones, worst first."""
    regressed = {change.result.id for change in comparison.regressed} if comparison else ()
    below = (r for r in results if r.status(plan.pass_score) == "missed")
    missed = (result for result in below if result.id not in regressed)
    return tuple(sorted(missed, key=lambda result: (result.score or 0.0, result.id)))


def _flaky(results: Sequence[CaseResult], plan: TestPlan) -> tuple[CaseResult, ...]:
    """Return the cases whose samples disagree on passing, those that pass least first."""
    found = [r for r in results if 0 < r.passes(plan.pass_score) < len(r.samples)]
    return tuple(sorted(found, key=lambda r: (r.passes(plan.pass_score), r.id)))


def _ruling(
    verdict: Verdict, judged: Sequence[CaseResult], reference: Reference
) -> tuple[Ruling, str, tuple[Rule, ...]]:
    plan = verdict.plan
    if missing := sum(result.outcome.error == RETURNED_NOTHING for result in verdict.broken):
        return "incomplete", f"{counted(missing, 'case')}: {RETURNED_NOTHING}", ()
    if plan.partial:
        return "partial", f"{plan.selected:,} of {counted(plan.expected, 'case')}: no verdict", ()
    if not plan.gated:
        return "each", verdict.reason, ()
    scored = [result for result in judged if result.score is not None]
    # A test that takes the model hands it to a client that may know it by another name.
    incomplete = _unscored(verdict) or ("" if plan.takes_model else verdict.model_unused)
    if not incomplete and not verdict.whole.cases:
        incomplete = "no case was scored; select some, or drop the threshold"
    if not incomplete and not scored:
        incomplete = f"mipro_gate_on=holdout: {reference.holdout.problem or _NONE_HELD_OUT}"
    if incomplete:
        return "incomplete", incomplete, ()
    status, reason, rules = _ruling_on_scores(verdict, scored, reference)
    unjudged = not reference.renewed and _nothing_judged(verdict, reference.lock)
    if status == "passed" and unjudged:  # what fails by another rule has failed
        return "incomplete", _ALL_NEW, rules
    return status, reason, rules


def _nothing_judged(verdict: Verdict, lock: Lock | None) -> bool:
    """Return whether the lock judges, has scores of the test, and none of a case as it is.

    A test without a score in the lock is a new one to it: its first lock is not due yet.
    """
    plan = verdict.plan
    cases = lock.cases if lock is not None else ()
    known = any(case.test == plan.name and case.score is not None for case in cases)
    return plan.max_regression is not None and verdict.comparison is None and known


def _ruling_on_scores(
    verdict: Verdict, scored: Sequence[CaseResult], reference: Reference
) -> tuple[Ruling, str, tuple[Rule, ...]]:
    plan = verdict.plan
    found = (
        threshold_rule(plan, scored, reference.gate_on),
        regression_rule(plan, verdict.comparison),
        group_rule(plan, verdict.groups, unscored_groups(verdict.results, verdict.groups)),
    )
    rules = tuple(rule for rule in found if rule is not None)
    broken = [rule.words for rule in rules if not rule.held]
    if broken:
        return "failed", "; ".join(broken), rules
    words = [rule.words for rule in rules if rule.words]
    if plan.max_regression is not None and verdict.comparison is None:
        why = "no case in common with the lock" if reference.lock else "no lock to compare with"
        words.append(f"max_regression not judged: {why}")
    return "passed", ", ".join(words), rules


def _unscored(verdict: Verdict) -> str:
    """Return how many cases have no score and why, "" where only skipped ones have none."""
    parts = {
        "had an error": verdict.counts.get("error", 0),
        "failed": verdict.counts.get("failed", 0),
        "did not run": verdict.plan.selected - len(verdict.results),
    }
    return ", ".join(f"{counted(n, 'case')} {what}" for what, n in parts.items() if n > 0)
