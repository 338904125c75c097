"""Conclude a study: measure the finalist on the deciding rows, decide, run the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.deciding.finalist import Finalist
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import Stage
from pytest_mipro.optimizer.run.study_run import Services, StudyRun
from pytest_mipro.optimizer.statistics.decide import Decision, Evidence, decide
from pytest_mipro.optimizer.statistics.intervals import paired_lift, sure_fall
from pytest_mipro.optimizer.study.amount import NOTHING
from pytest_mipro.optimizer.study.case import Case, Evaluation, cases_of
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.score import ROUNDING


@dataclass(frozen=True)
class Conclusion:
    """The end of a study: the finalist's `prompts` by path, and whether they may be written.

    They are those that its cases ran: the finalist may lead past a module in all of them.
    `deciding` holds the finalist's runs of the deciding `cases`, `final` those of all cases.
    """

    reason: str
    decision: Decision | None = None
    prompts: Mapping[Path, Prompt] = field(default_factory=dict)
    accepted: bool = False
    deciding: Evaluation | None = None
    final: Evaluation | None = None
    finalist: str = ""
    holdout_uses: int = 0
    cases: tuple[Case, ...] = ()

    def with_decision(self, decision: Decision) -> Conclusion:
        """Return the conclusion with this decision."""
        return replace(self, decision=decision, reason=decision.reason, accepted=decision.accepted)


def conclude(run: StudyRun, baseline: Baseline, finalist: Finalist) -> Conclusion:
    """Return the conclusion on a finalist, the best on validation rows.

    Only an accepted finalist is measured on all cases, as the gate will measure them: the next
    plain run is served from the cache. Sampled replies are other samples than it was chosen on.
    """
    services, program = run.services, finalist.program
    digest, shown = program_digest(program), services.finalists_shown
    if baseline.split.confirmed:
        shown = services.record_holdout_use(digest)  # first: the run may end here
    look = services.earlier_holdout_uses + (*shown, digest).index(digest) + 1
    holdout_uses = services.earlier_holdout_uses + len(shown)
    cases = (*baseline.deciding, *cases_of(baseline.study, finalist.unseen))
    conclusion = Conclusion(
        "", prompts=program, finalist=digest, holdout_uses=holdout_uses, cases=cases
    )
    run.ledger.hold(baseline.final_needs(program, finalist.unseen))
    rows = (*baseline.deciding_rows, *finalist.unseen)
    deciding = _measure(run, baseline, program, "decision", cases, rows)
    if deciding.over_budget:
        return replace(conclusion, reason=f"the finalist needs {deciding.over_budget}")
    lift = paired_lift(deciding.scores(), baseline.evaluation.scores(), cases)
    evidence = _evidence(baseline, finalist, look)
    decided = partial(decide, lift, evidence, accept=run.settings.accept)
    conclusion = replace(conclusion, prompts=_called(program, deciding), deciding=deciding)
    conclusion = conclusion.with_decision(decided())
    if not conclusion.accepted:
        return conclusion
    run.hold(NOTHING)
    left = baseline.final_rows(finalist.unseen)
    final = _measure(run, baseline, program, "final pass", baseline.study.cases, left)
    if final.over_budget:
        rejected = replace(
            decided(),
            verdict="reject",
            accepted=False,
            reason=f"the finalist needs {final.over_budget}",
        )
        return conclusion.with_decision(rejected)
    conclusion = replace(conclusion, prompts=_called(program, final), final=final)
    return conclusion.with_decision(decided(failed_gates(run.services, baseline, final)))


def _evidence(baseline: Baseline, finalist: Finalist, look: int) -> Evidence:
    split, study = baseline.split, baseline.study
    cases = [case for case in cases_of(study, split.validation) if case.id in finalist.kept]
    before = baseline.evaluation.scores()
    helps = split.confirmed and not split.shared and cases
    return Evidence(
        holdout=split.confirmed,
        tried=finalist.tried,
        look=look,
        shared=not split.decides,
        rows=len({case.row for case in baseline.deciding}) + len(finalist.unseen),
        training=len(finalist.unseen),
        kept=paired_lift(finalist.kept, before, cases) if helps else None,
        leaders=finalist.leaders,
    )


def _called(program: Mapping[Path, Prompt], evaluation: Evaluation) -> dict[Path, Prompt]:
    """Return the prompts that cases ran: others were not measured and stay as they are."""
    called = {call.signature.prompt_path for item in evaluation.runs for call in item.calls}
    return {path: prompt for path, prompt in program.items() if path in called}


def _measure(
    run: StudyRun,
    baseline: Baseline,
    program: Mapping[Path, Prompt],
    stage: Stage,
    cases: Sequence[Case],
    rows: Sequence[str],
) -> Evaluation:
    """Measure the finalist, new on `rows`, with all that is left.

    If bill or time run out, it counts as over its budget.
    """
    part = run.ledger.part(f"the {stage}", baseline.worst(rows, program), NOTHING, stage=stage)
    if part is None:
        return Evaluation((), 0, over_budget="more than the limits leave")
    try:
        return run.measure(stage, program, cases, part, baseline.rules)
    except LimitReachedError as error:
        reason = run.services.describe_error(error)
        return Evaluation((), 0, over_budget=f"more than the limits leave: {reason}")


def failed_gates(services: Services, baseline: Baseline, final: Evaluation) -> tuple[str, ...]:
    """Return the tests, sorted, that the finalist keeps from passing the gate.

    They fail it under the finalist alone, or surely fall by more than their `max_regression`.
    """
    study, judge = baseline.study, services.failing_tests
    before, after = baseline.evaluation.scores(), final.scores()
    failed = {*judge(final, baseline.split)} - {*judge(baseline.evaluation, baseline.split)}
    for name, spec in study.tests.items():
        mine = [case for case in study.cases if case.test == name]
        if spec.max_regression is None or not mine:  # of one whose every case was skipped
            continue
        fall = sure_fall(paired_lift(after, before, mine), spec.confidence)
        if fall > spec.max_regression + ROUNDING:
            failed.add(name)
    return tuple(sorted(failed))


def program_digest(program: Mapping[Path, Prompt]) -> str:
    """Return 16 hex digits of the program's prompts, independent of the repository's location."""
    return digest_of_prompts((path.name, prompt.digest()) for path, prompt in program.items())


def digest_of_prompts(prompts: Iterable[tuple[str, str]]) -> str:
    """Return 16 hex digits of prompts, each given by its file's name and its digest."""
    return hashlib.sha256(json.dumps(sorted(prompts)).encode()).hexdigest()[:16]
