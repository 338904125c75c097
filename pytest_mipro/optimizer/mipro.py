"""MIPRO, the whole path of one study: baseline, rounds of proposals and search, decision.

Source: Opsahl-Ong et al. 2024, arXiv 2406.11695.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.errors import MiproError
from pytest_mipro.optimizer.deciding.conclude import Conclusion, conclude
from pytest_mipro.optimizer.deciding.finalist import finalist
from pytest_mipro.optimizer.rounds.rounds import search_rounds
from pytest_mipro.optimizer.run.baseline import lay_ground
from pytest_mipro.optimizer.run.events import Decided, FinalistChosen
from pytest_mipro.optimizer.run.reserve import set_aside
from pytest_mipro.optimizer.run.result import StudyResult, measured
from pytest_mipro.optimizer.run.study_run import study_run
from pytest_mipro.optimizer.study.case import cases_of

if TYPE_CHECKING:
    from pytest_mipro.optimizer.rounds.search_state import SearchState
    from pytest_mipro.optimizer.run.baseline import Ground
    from pytest_mipro.optimizer.run.study_run import Services, StudyRun
    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.optimizer.study.case import Study
    from pytest_mipro.optimizer.study.settings import OptimizerSettings


def optimize(study: Study, services: Services, settings: OptimizerSettings) -> StudyResult:
    """Optimise one study and return its result; nothing is written here.

    The same study, seed and replies give the same result, whatever order calls complete in. Raises
    MiproError where a case can't be measured or the budget does not hold the baseline.
    """
    run = study_run(study, services, settings)
    try:
        ground = lay_ground(run)
        aside = set_aside(run, ground)
        searched = search_rounds(run, ground, aside.affords)
        run.allow_all()
        if searched.best == searched.candidates.committed:
            end = Conclusion(searched.nothing_better())
        else:
            program = searched.candidates.program(_finalist(run, ground, searched))
            end = conclude(run, ground, program, searched.tried, aside)
        services.emit(Decided(study.name, end.decision, end.reason))
        return _result(run, ground, searched, end)
    except MiproError:
        run.evaluator.close(wait=True)  # or cases would run on while their fixtures are torn down
        raise
    finally:
        run.evaluator.close()


def _finalist(run: StudyRun, ground: Ground, searched: SearchState) -> Assignment:
    cases = cases_of(ground.study, ground.split.validation)
    found = finalist(searched.record, searched.candidates.committed, cases)
    chosen, best = found.chosen, found.best
    run.services.emit(
        FinalistChosen(run.study.name, found.equals, chosen.cost, best.cost, chosen is best)
    )
    return chosen.assignment


def _result(run: StudyRun, ground: Ground, searched: SearchState, end: Conclusion) -> StudyResult:
    before = ground.baseline.evaluation.scores()
    cases, deciding = ground.study.cases, ground.deciding
    return StudyResult(
        study=ground.study.name,
        split=ground.split,
        signatures=(*ground.signatures, *searched.late),
        models={**ground.models, **{item.prompt_path: m for item, m in searched.late.items()}},
        committed=searched.candidates.program(searched.candidates.committed),
        prompts=end.prompts,
        decision=end.decision,
        reason=end.reason,
        holdout_uses=end.holdout_uses,
        finalist=end.finalist,
        baseline=ground.baseline.evaluation,
        final=end.final,
        before=measured(before, cases),
        after=measured(end.final.scores(), cases) if end.final else None,
        deciding_before=measured(before, deciding),
        deciding_after=measured(end.deciding.scores(), deciding) if end.deciding else None,
        trials=searched.tried,
        calls=run.budget.spent.calls,
        asked=run.accounting.ledger.asked,
        live=run.accounting.ledger.live,
        ended=searched.ended,
        limit=searched.limit,
        spending=run.accounting.spending.entries(),
        billed=run.services.bill.billed,
        lessons=searched.lessons if run.settings.has("learning") else (),
    )
