"""The decision and the final pass: the finalist on the deciding rows, then on all cases."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.statistics.decide import Evidence, decide, newly_failed
from pytest_mipro.optimizer.statistics.intervals import paired_lift
from pytest_mipro.optimizer.study.runs import Evaluation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.budget.budget import Reservation
    from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
    from pytest_mipro.optimizer.run.baseline import Ground
    from pytest_mipro.optimizer.run.events import Stage
    from pytest_mipro.optimizer.run.reserve import SetAside
    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.optimizer.statistics.decide import Decision
    from pytest_mipro.optimizer.study.case import Case
    from pytest_mipro.runtime.prompts.prompt import Prompt

# The mean of repeats may miss its exact value by rounding; the gate allows for it too.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Conclusion:
    """How the study ended: `prompts` by path where they may be written, empty otherwise.

    They are those that the final pass ran: the finalist may lead past a module in all cases.
    `deciding` holds the finalist's runs of the deciding rows, `final` those of all cases.
    """

    reason: str
    decision: Decision | None = None
    prompts: Mapping[Path, Prompt] = field(default_factory=dict)
    deciding: Evaluation | None = None
    final: Evaluation | None = None
    finalist: str = ""
    holdout_uses: int = 0


def conclude(
    run: StudyRun, ground: Ground, program: Mapping[Path, Prompt], tried: int, aside: SetAside
) -> Conclusion:
    """Return the conclusion on a finalist that was the best of `tried` assignments on validation.

    Only an accepted finalist is measured on all cases, as the gate will measure them, so that the
    next plain run is served from the cache. Where replies are sampled, these are other samples than
    those that it was chosen on: the scores that are locked have not been selected for.
    """
    digest = program_digest(program)
    shown = frozenset({digest} if ground.split.confirmed else ())
    holdout_uses = run.services.earlier_holdout_uses + len(run.services.finalists_shown | shown)
    if shown:
        run.services.record_holdout_use(digest)  # before, as a run may end in the decision
    conclusion = Conclusion("", finalist=digest, holdout_uses=holdout_uses)
    measure = partial(_measure, run, program=program, rules=ground.rules)
    deciding = measure("decision", cases=ground.deciding, reservation=aside.decision)
    if deciding.over_budget:
        return replace(conclusion, reason=f"the finalist needs {deciding.over_budget}")
    lift = paired_lift(deciding.scores(), ground.baseline.evaluation.scores(), ground.deciding)
    evidence = Evidence(
        holdout=ground.split.confirmed,
        tried=tried,
        holdout_uses=holdout_uses,
        shared=ground.split.shared,
    )
    decision = decide(lift, evidence)
    conclusion = replace(conclusion, decision=decision, reason=decision.reason, deciding=deciding)
    if not decision.accepted:
        return conclusion
    final = measure("final pass", cases=ground.study.cases, reservation=aside.final)
    if final.over_budget:
        reason = f"the finalist needs {final.over_budget}"
        rejected = replace(decision, verdict="reject", reason=reason)
        return replace(conclusion, decision=rejected, reason=reason)
    decision = decide(lift, evidence, _failed_thresholds(ground, final))
    return replace(
        conclusion,
        decision=decision,
        reason=decision.reason,
        prompts=_run_by(final, program) if decision.accepted else {},
        final=final,
    )


def _measure(
    run: StudyRun,
    stage: Stage,
    program: Mapping[Path, Prompt],
    cases: Sequence[Case],
    reservation: Reservation,
    rules: MeasuringRules,
) -> Evaluation:
    """Measure the finalist; where bill or time end it, as over its budget."""
    try:
        return run.measure(stage, program, cases, reservation, rules)
    except LimitReachedError as limit:
        return Evaluation((), 0, over_budget=f"more than the limits leave: {limit}")


def _run_by(final: Evaluation, program: Mapping[Path, Prompt]) -> dict[Path, Prompt]:
    """Return the prompts that some case ran; what none did was not measured, and stays as it is."""
    called = {call.signature.prompt_path for item in final.runs for call in item.calls}
    return {path: prompt for path, prompt in program.items() if path in called}


def _failed_thresholds(ground: Ground, final: Evaluation) -> tuple[str, ...]:
    """Return the tests, sorted, whose gate the finalist fails and the committed prompts met."""
    tests, cases = ground.study.tests, ground.study.cases
    before = measured(ground.baseline.evaluation.scores(), cases).tests
    after = measured(final.scores(), cases).tests
    # A test whose every case was skipped has no mean.
    thresholds = {name: t for name in before if (t := tests[name].threshold) is not None}
    fallen = {
        name
        for name in before
        if (allowed := tests[name].max_regression) is not None
        and before[name] - after[name] > allowed + _ROUNDING
    }
    strict = {
        name for name in before if tests[name].threshold is tests[name].max_regression is None
    }  # there each case must pass by itself
    met = _all_pass(ground, ground.baseline.evaluation) & strict
    lost = met - _all_pass(ground, final)
    return tuple(sorted({*newly_failed(before, after, thresholds), *fallen, *lost}))


def _all_pass(ground: Ground, evaluation: Evaluation) -> frozenset[str]:
    """Return the tests of which every case reaches its pass score."""
    tests, scores = ground.study.tests, evaluation.scores()
    missed = {
        case.test
        for case in ground.study.cases
        if case.id in scores and scores[case.id] < tests[case.test].pass_score - _ROUNDING
    }
    return frozenset(tests) - missed


def program_digest(program: Mapping[Path, Prompt]) -> str:
    """Return 16 hex digits of the program's prompts, independent of where the repo lies."""
    return digest_of_prompts((path.name, prompt.digest()) for path, prompt in program.items())


def digest_of_prompts(prompts: Iterable[tuple[str, str]]) -> str:
    """Return 16 hex digits of prompts, each given by its file's name and its digest."""
    return hashlib.sha256(json.dumps(sorted(prompts)).encode()).hexdigest()[:16]
