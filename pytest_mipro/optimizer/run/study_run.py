"""The run of one study: the services, settings, budget and evaluator that its stages share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from pytest_mipro.errors import MiproError
from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.ledger import Ledger, Part
from pytest_mipro.optimizer.budget.limits import Deadline
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.evaluate import Evaluating, Evaluator, MeasuringRules, Pending
from pytest_mipro.optimizer.proposing.proposal_plan import Lesson
from pytest_mipro.optimizer.proposing.strategy import InstructionStrategy
from pytest_mipro.optimizer.run.events import Emit, Stage, StageProgress, StageStarted, Step
from pytest_mipro.optimizer.search.searcher import Searcher
from pytest_mipro.optimizer.search.space import Space
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import Case, Evaluation, Study
from pytest_mipro.optimizer.study.settings import PARTS, OptimizerSettings
from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.client.prices import ModelPrice
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import Signature


class Bill(Protocol):
    """The actual cost: live calls, over all runs of a study that was interrupted."""

    @property
    def billed(self) -> Amount:
        """The amount billed so far."""

    def keep(self, amount: Amount) -> None:
        """Keep this much of the limit for later calls; replaces what was kept before."""


class NoBill:
    """The bill of a client whose calls are free."""

    billed = NOTHING

    def keep(self, amount: Amount) -> None:
        """Keep nothing."""


@dataclass(frozen=True)
class Services:
    """The client, searcher, strategies and callbacks that the plugin gives the optimiser.

    `searcher` makes a searcher from a space and a seed. `check_modules` raises, before anything is
    searched, if the modules found can't be optimised, and `check_baseline` if nothing is to be
    searched from it. `finalists_shown` holds the digests of the finalists measured on this study's
    holdout before, in this order, and `earlier_holdout_uses` counts those before them;
    `record_holdout_use` gets a finalist's digest before it is measured there, and returns all that
    were shown by then, as other runs may have used the holdout meanwhile. `find_holdout_uses` gets
    the finalists that other machines measured before this run, and returns all measured by then and
    the count of those before them. `load_prompt` returns a module's committed prompt.
    `lessons` come from earlier runs of the study.
    `price` returns a model's price, None if unknown; `bill` is the actual cost.
    `failing_tests` returns the tests that fail the gate by an evaluation of all cases and the
    split; those that fail it under the finalist alone keep it from being written.
    `describe_error` puts an error that ends a stage into words, and may name the option of its
    limit. `evaluating` makes the evaluator if several processes share the study.
    """

    client: LMClient
    searcher: Callable[[Space, int], Searcher]
    strategies: Sequence[InstructionStrategy]
    check_modules: Callable[[Sequence[Signature]], None]
    finalists_shown: Sequence[str]
    earlier_holdout_uses: int
    record_holdout_use: Callable[[str], Sequence[str]]
    emit: Emit
    load_prompt: Callable[[Signature], Prompt]
    check_baseline: Callable[[Evaluation], None] = lambda _: None
    find_holdout_uses: Callable[[Sequence[str]], tuple[Sequence[str], int]] = lambda found: (
        found,
        0,
    )
    lessons: Sequence[Lesson] = ()
    price: Callable[[str], ModelPrice | None] = lambda _: None
    bill: Bill = field(default_factory=NoBill)
    failing_tests: Callable[[Evaluation, Split], Collection[str]] = lambda *_: ()
    describe_error: Callable[[MiproError], str] = str
    evaluating: Callable[[Accounting], Evaluating] | None = None

    @property
    def holdout_uses(self) -> int:
        """How many finalists were measured on this study's holdout before."""
        return self.earlier_holdout_uses + len(self.finalists_shown)


@dataclass(frozen=True)
class StudyRun:
    """One run of one study: what its stages share."""

    study: Study
    services: Services
    settings: OptimizerSettings
    ledger: Ledger
    accounting: Accounting
    evaluator: Evaluating

    def strategies(self) -> list[InstructionStrategy]:
        """Return the strategies, without the built-in ones that are switched off."""
        given, has = self.services.strategies, self.settings.has
        return [item for item in given if item.name not in PARTS or has(item.name)]

    def hold(self, amount: Amount) -> bool:
        """Hold an amount back for the decision; False, and no change, where it does not fit."""
        fits = self.ledger.hold(amount)
        if fits:
            self.services.bill.keep(amount)
        return fits

    def end_search(self) -> None:
        """Abandon what is under way, and release what was kept for the decision."""
        self.evaluator.start_afresh()
        self.release_kept()

    def release_kept(self) -> None:
        """Release what was kept for the decision."""
        self.accounting.deadline.keep(0)
        self.hold(NOTHING)

    def start(self, stage: Stage, total: int) -> None:
        """Report that a stage of `total` steps begins."""
        self.services.emit(StageStarted(self.study.name, stage, total))

    def measure(
        self,
        stage: Stage,
        prompts: Mapping[Path, Prompt],
        cases: Sequence[Case],
        part: Part,
        rules: MeasuringRules,
    ) -> Evaluation:
        """Measure the cases with all their repeats, reporting progress; see `Evaluator`."""
        runs = sum(len(rules.samples(self.study.tests[case.test])) for case in cases)
        self.start(stage, runs)
        return self.awaited(stage, self.evaluator.start(prompts, cases, part, rules))

    def awaited(self, stage: Stage | Step, pending: Pending) -> Evaluation:
        """Return the evaluation's result, reporting progress."""
        return pending.result(self.progress(stage, pending.size))

    def progress(self, stage: Stage | Step, total: int) -> Callable[[int], None]:
        """Return what reports that so many of `total` steps are done."""

        def done(steps: int) -> None:
            self.services.emit(StageProgress(self.study.name, stage, steps, total))

        return done


def study_run(study: Study, services: Services, settings: OptimizerSettings) -> StudyRun:
    """Return a run with a fresh budget and evaluator; the caller closes the evaluator."""
    settings = settings.in_rounds()
    limits = settings.limits
    accounting = Accounting(
        cost_model=CostModel(limits, services.price), deadline=Deadline(settings.max_seconds)
    )
    make: Callable[[Accounting], Evaluating] = services.evaluating or partial(
        Evaluator,
        study,
        services.client,
        concurrency=settings.concurrency,
        case_timeout=settings.case_timeout,
    )
    return StudyRun(study, services, settings, Ledger(limits), accounting, make(accounting))
