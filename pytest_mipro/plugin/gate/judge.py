"""Judge a test: its measured cases against threshold, lock and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_mipro.optimizer.statistics.threshold_tests import detectable_distance
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.collecting.plan import TestPlan
from pytest_mipro.plugin.config.words import counted
from pytest_mipro.plugin.gate.case_statistics import (
    compare,
    groups_of,
    mean_of,
    scored_rows,
    share_passing_all,
)
from pytest_mipro.plugin.gate.holdout import Reference
from pytest_mipro.plugin.gate.rules import group_rule, regression_rule, threshold_rule
from pytest_mipro.plugin.gate.verdict import Comparison, Rule, Ruling, Verdict
from pytest_mipro.plugin.measuring.measure import RETURNED_NOTHING, Status, returned_nothing
from pytest_mipro.plugin.measuring.report_data import CaseResult


def judge(plan: TestPlan, results: Sequence[CaseResult], reference: Reference) -> Verdict:
    """Return the verdict on a test from its measured cases."""
    results = _with_missing_scores_as_errors(results)
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
        broken=_with_status(results, plan, ("error", "failed")),
        flaky=_flaky(results, plan),
        pass_all=share_passing_all(results, plan.pass_score) if plan.repeats > 1 else None,
        detectable=detectable_distance(*scored_rows(judged)) if judged else None,
        results=tuple(results),
    )
    status, reason, rules = _ruling(verdict, judged, reference)
    return replace(verdict, status=status, reason=reason, rules=rules)


def _with_missing_scores_as_errors(results: Sequence[CaseResult]) -> list[CaseResult]:
    """Make errors of the cases that returned nothing where others returned a score."""
    listed = list(results)
    for place in returned_nothing(result.outcome for result in listed):
        listed[place] = replace(listed[place], outcome=Outcome(None, error=RETURNED_NOTHING))
    return listed


def _with_status(
    results: Sequence[CaseResult], plan: TestPlan, statuses: tuple[Status, ...]
) -> tuple[CaseResult, ...]:
    return tuple(result for result in results if result.status(plan.pass_score) in statuses)


def _missed(
    results: Sequence[CaseResult], plan: TestPlan, comparison: Comparison | None
) -> tuple[CaseResult, ...]:
    """Return the cases below the pass score that are not among the regressed ones, worst first."""
    regressed = {change.result.id for change in comparison.regressed} if comparison else ()
    missed = [r for r in _with_status(results, plan, ("missed",)) if r.id not in regressed]
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
        return "partial", f"{plan.selected} of {counted(plan.expected, 'case')}: no verdict", ()
    if not plan.gated:
        return "each", verdict.reason, ()
    scored = [result for result in judged if result.score is not None]
    incomplete = _unscored(verdict)
    if not incomplete and not verdict.whole.cases:
        return "skipped", "no case was scored: no verdict", ()
    if not incomplete and not scored:
        incomplete = f"mipro_gate_on=holdout: {_no_holdout(reference)}"
    if incomplete:
        return "incomplete", incomplete, ()
    return _ruling_on_scores(verdict, scored, reference)


def _ruling_on_scores(
    verdict: Verdict, scored: Sequence[CaseResult], reference: Reference
) -> tuple[Ruling, str, tuple[Rule, ...]]:
    plan = verdict.plan
    found = (
        threshold_rule(plan, scored, reference.gate_on),
        regression_rule(plan, verdict.comparison),
        group_rule(plan, verdict.groups),
    )
    rules = tuple(rule for rule in found if rule is not None)
    broken = [rule.words for rule in rules if not rule.held]
    if broken:
        return "failed", "; ".join(broken), rules
    words = [rule.words for rule in rules if rule.words]
    if plan.max_regression is not None and verdict.comparison is None:
        missing = "no case in common with the lock" if reference.lock else "no lock to compare with"
        words.append(missing)
    return "passed", ", ".join(words), rules


def _unscored(verdict: Verdict) -> str:
    """Return how many cases have no score and why, "" where only skipped ones have none."""
    parts = {
        "had an error": verdict.counts.get("error", 0),
        "failed": verdict.counts.get("failed", 0),
        "did not run": verdict.plan.selected - len(verdict.results),
    }
    return ", ".join(
        f"{counted(count, 'case')} {what}" for what, count in parts.items() if count > 0
    )


def _no_holdout(reference: Reference) -> str:
    return reference.holdout.problem or (
        "none of this test's scored rows is in the study's holdout; tag rows with split=holdout"
    )
