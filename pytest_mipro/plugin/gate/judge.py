"""The verdict on a test: its measured cases against threshold, lock and groups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.statistics.threshold_tests import detectable_distance
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.config.words import counted
from pytest_mipro.plugin.gate.comparison import compare
from pytest_mipro.plugin.gate.groups import groups_of
from pytest_mipro.plugin.gate.means import mean_of, scored_rows, share_passing_all
from pytest_mipro.plugin.gate.rules import group_rule, regression_rule, threshold_rule
from pytest_mipro.plugin.gate.verdict import Verdict
from pytest_mipro.plugin.measuring.measure import RETURNED_NOTHING, returned_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.plugin.collecting.plan import TestPlan
    from pytest_mipro.plugin.config.options import GateOn
    from pytest_mipro.plugin.gate.holdout import Holdout
    from pytest_mipro.plugin.gate.verdict import CaseResult, Rule, Ruling
    from pytest_mipro.plugin.lock.lock_schema import Lock
    from pytest_mipro.plugin.measuring.measure import Status


@dataclass(frozen=True)
class Against:
    """What a test is judged against: its study's lock and holdout, and which mean decides."""

    lock: Lock | None
    holdout: Holdout
    gate_on: GateOn


def judge(plan: TestPlan, results: Sequence[CaseResult], against: Against) -> Verdict:
    """Return the verdict on a test from its measured cases."""
    results = _without_forgotten(results)
    statuses = [result.status(plan.pass_score) for result in results]
    counts: dict[Status, int] = {status: statuses.count(status) for status in sorted(set(statuses))}
    held_out = [result for result in results if result.row in against.holdout.rows]
    judged = held_out if against.gate_on == "holdout" else results
    verdict = Verdict(
        plan=plan,
        status="each",
        reason="each case by itself",
        whole=mean_of(results),
        counts=counts,
        holdout=mean_of(held_out) if held_out else None,
        judged_on=against.gate_on,
        comparison=compare(judged, against.lock),
        groups=groups_of(judged, plan.threshold),
        broken=_with(results, plan, ("error", "failed")),
        flaky=_flaky(results, plan),
        pass_all=share_passing_all(results, plan.pass_score) if plan.repeats > 1 else None,
        detectable=detectable_distance(*scored_rows(judged)) if judged else None,
        results=tuple(results),
    )
    verdict = replace(verdict, missed=_missed(verdict))
    scored = [result for result in judged if result.score is not None]
    status, reason, rules = _ruling(verdict, scored, against)
    return replace(verdict, status=status, reason=reason, rules=rules)


def _without_forgotten(results: Sequence[CaseResult]) -> list[CaseResult]:
    """Make errors of the cases that returned nothing where others returned a score."""
    listed = list(results)
    for place in returned_nothing(result.outcome for result in listed):
        listed[place] = replace(listed[place], outcome=Outcome(None, error=RETURNED_NOTHING))
    return listed


def _with(
    results: Sequence[CaseResult], plan: TestPlan, statuses: tuple[Status, ...]
) -> tuple[CaseResult, ...]:
    return tuple(result for result in results if result.status(plan.pass_score) in statuses)


def _missed(verdict: Verdict) -> tuple[CaseResult, ...]:
    """Return the cases below the pass score that the regressed ones do not hold, worst first."""
    told = {
        change.result.id for change in (verdict.comparison.regressed if verdict.comparison else ())
    }
    missed = [r for r in _with(verdict.results, verdict.plan, ("missed",)) if r.id not in told]
    return tuple(sorted(missed, key=lambda result: (result.score or 0.0, result.id)))


def _flaky(results: Sequence[CaseResult], plan: TestPlan) -> tuple[CaseResult, ...]:
    """Return the cases whose samples disagree on passing, the least sure first."""
    found = [r for r in results if 0 < r.passes(plan.pass_score) < len(r.samples)]
    return tuple(sorted(found, key=lambda r: (r.passes(plan.pass_score), r.id)))


def _ruling(
    verdict: Verdict, scored: Sequence[CaseResult], against: Against
) -> tuple[Ruling, str, tuple[Rule, ...]]:
    plan = verdict.plan
    if verdict.counts.get("error") and (forgotten := _forgotten(verdict)):
        return "incomplete", forgotten, ()
    if plan.partial:
        return "partial", f"{plan.selected} of {counted(plan.expected, 'case')}: no verdict", ()
    if not plan.gated:
        return "each", verdict.reason, ()
    if not (lacking := _lacking(verdict)) and not verdict.whole.cases:
        return "skipped", "no case was scored: no verdict", ()
    if not lacking and not scored:
        lacking = f"mipro_gate_on=holdout: {_no_holdout(against.holdout)}"
    if lacking:
        return "incomplete", lacking, ()
    return _ruling_on_scores(verdict, scored, against)


def _ruling_on_scores(
    verdict: Verdict, scored: Sequence[CaseResult], against: Against
) -> tuple[Ruling, str, tuple[Rule, ...]]:
    plan = verdict.plan
    found = (
        threshold_rule(plan, scored, against.gate_on),
        regression_rule(plan, verdict.comparison),
        group_rule(plan, verdict.groups),
    )
    rules = tuple(rule for rule in found if rule is not None)
    broken = [rule.words for rule in rules if not rule.held]
    if broken:
        return "failed", "; ".join(broken), rules
    words = [rule.words for rule in rules if rule.words]
    if plan.max_regression is not None and verdict.comparison is None:
        words.append(_not_compared(against.lock))
    return "passed", ", ".join(words), rules


def _forgotten(verdict: Verdict) -> str:
    count = sum(result.outcome.error == RETURNED_NOTHING for result in verdict.broken)
    return f"{counted(count, 'case')}: {RETURNED_NOTHING}" if count else ""


def _lacking(verdict: Verdict) -> str:
    parts = {
        "had an error": verdict.counts.get("error", 0),
        "failed": verdict.counts.get("failed", 0),
        "did not run": verdict.plan.selected - len(verdict.results),
    }
    told = (f"{counted(count, 'case')} {what}" for what, count in parts.items() if count > 0)
    return ", ".join(told)


def _no_holdout(holdout: Holdout) -> str:
    return holdout.problem or (
        "none of this test's scored rows is in the study's holdout; tag rows with split=holdout"
    )


def _not_compared(lock: Lock | None) -> str:
    return "no lock to compare with" if lock is None else "no case in common with the lock"
