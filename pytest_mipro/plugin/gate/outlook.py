"""Foresee the gate's verdicts from runs of an optimisation: the baseline, and the final pass."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_mipro.optimizer.study.case import Evaluation, Outcome
from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.plugin.collecting.plan import PlannedCase, TestPlan
from pytest_mipro.plugin.config.options import GateOn
from pytest_mipro.plugin.gate.case_run import group_of
from pytest_mipro.plugin.gate.verdict.judge import Holdout, Reference, judge
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.runtime.text.number_words import counted


def failing_gates(
    planned: Iterable[PlannedCase], evaluation: Evaluation, split: Split, gate_on: GateOn
) -> dict[str, str]:
    """Return the tests whose gate fails by an evaluation of all cases, each with why.

    No lock is compared with: that of an accepted finalist will hold the same scores.
    """
    scores, skipped = evaluation.scores(), set(evaluation.skipped)
    plans: dict[str, TestPlan] = {}
    tests: dict[str, list[CaseResult]] = {}
    for case in planned:
        measured = case.id in scores and case.id not in skipped
        outcome = Outcome(scores[case.id]) if measured else Outcome(None, skipped="not measured")
        found = CaseResult(case.id, case.row.key, outcome, group=group_of(case))
        plans[case.test.name] = case.test
        tests.setdefault(case.test.name, []).append(found)
    holdout = Holdout(frozenset(split.holdout), units=split.units)
    reference = Reference(None, holdout, gate_on)
    verdicts = [judge(plans[name], results, reference) for name, results in tests.items()]
    failing = {v.plan.name: v.reason for v in verdicts if v.status == "failed"}
    return failing | {
        v.plan.name: f"{len(v.missed):,} of {counted(len(v.results), 'case')} do not pass"
        for v in verdicts
        if v.status == "each" and v.missed
    }
