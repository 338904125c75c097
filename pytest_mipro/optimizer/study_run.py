"""What all stages of one study's run share: services, settings, budget and the evaluator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.budget import CallBudget, LogicalLedger
from pytest_mipro.optimizer.evaluate import Evaluator
from pytest_mipro.optimizer.events import StageProgress, StageStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.budget import Reservation
    from pytest_mipro.optimizer.case import Case, Study
    from pytest_mipro.optimizer.evaluate import Evaluation
    from pytest_mipro.optimizer.events import Emit, Stage
    from pytest_mipro.optimizer.learning import Lesson
    from pytest_mipro.optimizer.search import Searcher, Space
    from pytest_mipro.optimizer.settings import OptimizerSettings
    from pytest_mipro.optimizer.strategies.strategy import ProposalStrategy
    from pytest_mipro.runtime.client import LMClient
    from pytest_mipro.runtime.prompt import Prompt
    from pytest_mipro.runtime.signature import Signature


@dataclass(frozen=True)
class Services:
    """What the optimiser works with: client, searcher, strategies, and the edge's checks.

    `searcher` makes the study's searcher from a space and a seed; `check_modules` may refuse the
    modules found (it raises before anything is searched); `looked_at` holds the digests of the
    finalists that this study's holdout was shown before, `earlier_looks` counts those whose digest
    is not known; `note_look` is told a finalist's digest before the holdout is shown it. `lessons`
    are what earlier runs of the study learnt about proposing.
    """

    client: LMClient
    searcher: Callable[[Space, int], Searcher]
    strategies: Sequence[ProposalStrategy]
    check_modules: Callable[[Sequence[Signature]], None]
    looked_at: frozenset[str]
    earlier_looks: int
    note_look: Callable[[str], None]
    emit: Emit
    lessons: Sequence[Lesson] = ()


@dataclass(frozen=True)
class StudyRun:
    """One run of one study: what its stages share."""

    study: Study
    services: Services
    settings: OptimizerSettings
    budget: CallBudget
    ledger: LogicalLedger
    evaluator: Evaluator

    def reserve(self, calls: int, purpose: str) -> Reservation:
        """Return a reservation; raises BudgetError where the limit does not hold it."""
        reservation = self.budget.reserve(calls, purpose)
        if reservation is None:
            enough = (self.budget.limit or 0) + calls - (self.budget.available or 0)
            raise BudgetError(
                f"--mipro-max-calls={self.budget.limit} leaves {self.budget.available} calls, "
                f"{purpose} may need {calls}; raise it to {enough} or more"
            )
        return reservation

    def start(self, stage: Stage, total: int) -> None:
        """Tell that a stage of `total` steps begins."""
        self.services.emit(StageStarted(self.study.name, stage, total))

    def measure(
        self,
        stage: Stage,
        prompts: Mapping[Path, Prompt],
        cases: Sequence[Case],
        reservation: Reservation,
    ) -> Evaluation:
        """Measure the cases with all their repeats, telling the progress; see `Evaluator`."""
        runs = sum(self.study.tests[case.test].repeats for case in cases)
        self.start(stage, runs)

        def progress(done: int) -> None:
            self.services.emit(StageProgress(self.study.name, stage, done, runs))

        return self.evaluator.start(prompts, cases, reservation).result(progress)


def study_run(study: Study, services: Services, settings: OptimizerSettings) -> StudyRun:
    """Return a run with a fresh budget and evaluator; close the evaluator behind it."""
    settings = settings.in_rounds()
    ledger = LogicalLedger()
    evaluator = Evaluator(study, services.client, ledger, concurrency=settings.concurrency)
    return StudyRun(study, services, settings, CallBudget(settings.max_calls), ledger, evaluator)
