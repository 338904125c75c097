"""MIPRO, the whole path of one study: baseline, rounds of proposals and search, decision.

Source: Opsahl-Ong et al. 2024, arXiv 2406.11695.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_mipro.errors import MiproError
from pytest_mipro.optimizer.deciding.conclude import Conclusion, conclude
from pytest_mipro.optimizer.deciding.finalist import choose_finalist
from pytest_mipro.optimizer.rounds.fruitless import nothing_better
from pytest_mipro.optimizer.rounds.rounds import search_rounds
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.run.baseline import hold_for_decision
from pytest_mipro.optimizer.run.events import Decided
from pytest_mipro.optimizer.run.measure_baseline import measure_baseline
from pytest_mipro.optimizer.run.plan import plan_of
from pytest_mipro.optimizer.run.result import StudyResult, measured
from pytest_mipro.optimizer.run.study_run import Services, study_run
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.settings import OptimizerSettings


def optimize(study: Study, services: Services, settings: OptimizerSettings) -> StudyResult:
    """Optimise one study and return its result; writes nothing.

    The same study, seed and replies give the same result, whatever order calls complete in. Raises
    MiproError if a case can't be measured or the budget does not hold the baseline.
    """
    run = study_run(study, services, settings)
    try:
        baseline = measure_baseline(run)
        run = replace(run, settings=run.settings.for_modules(len(baseline.signatures)))
        services.emit(plan_of(run, baseline))
        hold_for_decision(run, baseline)
        state = search_rounds(run, baseline)
        run.release_kept()
        if state.record.best.assignment == state.candidates.committed:
            conclusion = Conclusion(nothing_better(state))
        else:
            conclusion = conclude(run, baseline, choose_finalist(state))
        services.emit(Decided(study.name, conclusion.decision, conclusion.reason))
        return _result(state, conclusion)
    except MiproError:
        run.evaluator.close(wait=True)  # or cases would run on while their fixtures are torn down
        raise
    finally:
        run.evaluator.close()


def _result(state: SearchState, conclusion: Conclusion) -> StudyResult:
    run, baseline = state.run, state.baseline
    before, final = baseline.evaluation.scores(), conclusion.final
    cases, deciding = baseline.study.cases, conclusion.cases or baseline.deciding
    decided = conclusion.deciding
    return StudyResult(
        study=baseline.study.name,
        split=baseline.split,
        signatures=(*baseline.signatures, *state.late),
        models={**baseline.models, **{item.prompt_path: m for item, m in state.late.items()}},
        committed=state.candidates.program(state.candidates.committed),
        prompts=conclusion.prompts if conclusion.accepted else {},
        refused={} if conclusion.accepted else conclusion.prompts,
        decision=conclusion.decision,
        reason=conclusion.reason,
        holdout_uses=conclusion.holdout_uses,
        finalist=conclusion.finalist,
        baseline=baseline.evaluation,
        final=final,
        before=measured(before, cases),
        after=measured(final.scores(), cases) if final else None,
        deciding_before=measured(before, deciding),
        deciding_after=measured(decided.scores(), deciding) if decided else None,
        trials=state.tried,
        calls=run.ledger.spent.calls,
        asked=run.accounting.spending.asked,
        live=run.accounting.spending.live,
        ended=state.ending,
        cut_short=state.cut_short or bool(state.unproposed),
        spending=run.accounting.spending.entries(),
        billed=run.services.bill.billed,
        lessons=state.lessons if run.settings.has("learning") else (),
        decided=decided,
    )
