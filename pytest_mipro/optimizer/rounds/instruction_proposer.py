"""Propose a round's instructions: share them out to the modules, ask, and learn how to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from queue import SimpleQueue

from pytest_mipro.errors import BudgetError, MissingKeyError, UnknownModelError
from pytest_mipro.optimizer.budget.ledger import Part
from pytest_mipro.optimizer.budget.meter import Meter
from pytest_mipro.optimizer.proposing.proposal_context import module_examples
from pytest_mipro.optimizer.proposing.proposal_plan import Lesson, PlanPolicy, PlanSpace
from pytest_mipro.optimizer.proposing.proposal_task import ProposalTask
from pytest_mipro.optimizer.proposing.proposer_models import (
    GROUNDING_CALLS,
    MAX_PROMPT_CHARACTERS,
    MOST_HALVINGS,
    Proposal,
    ProposerModels,
    proposal_limit,
)
from pytest_mipro.optimizer.proposing.strategies import asked_in_turn
from pytest_mipro.optimizer.proposing.strategy import Grounding, ScoredInstruction
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.rounds.trials import Join
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import LessonsLearnt, ProposalsMade
from pytest_mipro.optimizer.run.plan import proposal_amounts, proposer_models
from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.search.candidates import Candidates, ModuleCandidates, extended
from pytest_mipro.optimizer.search.credit_assignment import main_effects, unshrunk
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import CaseRun, cases_of
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request

_NO_ROOM = "the budget holds no proposals"
_TOO_DEAR = "the proposals took more than was left for them"
_BY_DEFAULT = (
    "it is asked for instructions as the model of the first prompt's calls; set another proposer "
    "model"
)
_Made = tuple[Mapping[str, str], Sequence[Proposal]]


@dataclass(frozen=True)
class _Asked:
    """Proposals under way, charged to `meter`; `ended` gets True for each, and False after all."""

    meter: Meter
    made: Future[_Made]
    ended: SimpleQueue[bool]
    told: Callable[[int], None]

    def result(self) -> _Made:
        """Wait for all, and tell of each in this thread, as all other progress is told."""
        for number, _ in enumerate(iter(self.ended.get, False), 1):
            self.told(number)
        return self.made.result()


class InstructionProposer:
    """Asks for instructions in all rounds of a study, and learns how to ask."""

    def __init__(self, run: StudyRun, baseline: Baseline) -> None:
        settings = run.settings
        self._run = run
        self._baseline = baseline
        self._strategies = {item.name: item for item in run.strategies()}
        self._models = proposer_models(run, baseline)
        self._each, self._dearest = proposal_amounts(run, baseline)
        self._policy: PlanPolicy | None = None
        if self._strategies:
            plans = PlanSpace(asked_in_turn(tuple(self._strategies)), self._models, settings)
            learning = settings.has("learning")
            lessons = run.services.lessons
            self._policy = PlanPolicy(plans, learning=learning, lessons=lessons)

    @contextmanager
    def asking(self, state: SearchState, runs: Sequence[CaseRun]) -> Iterator[Join]:
        """Ask for a round's instructions, made from the incumbent and its `runs` on training rows.

        Yields what waits for them and adds them to a state; what was not waited for in the end is
        abandoned. Nothing is asked for where it does not fit the budget.
        """
        run, baseline = self._run, self._baseline
        tasks = self._tasks(state, runs)
        names = {name for task in tasks for name in task.plan.summaries}
        missing = sorted(names.difference(state.summaries))
        part, again = self._part(len(tasks), len(missing)) if tasks else (None, False)
        if part is None:
            if tasks:
                self._tell(state, _NO_ROOM)
            yield lambda later: later.without_proposals(_NO_ROOM) if tasks else later
            return
        run.start("proposals", len(tasks) + len(missing))
        meter, client = run.accounting.opened(run.services.client, part)
        ended: SimpleQueue[bool] = SimpleQueue()
        models = ProposerModels(
            client, self._strategies, run.settings, again=again, on_end=lambda: ended.put(True)
        )

        async def made() -> _Made:
            cases, asked = cases_of(baseline.study, baseline.split.train), self._models[0]
            new = await models.summarise(cases, runs, baseline.signatures, asked, missing)
            summaries = {**state.summaries, **new}
            shown = Grounding(summaries.get("dataset", ""), summaries.get("program", ""))
            return summaries, await models.propose(tasks, shown)

        future = loop.submit(made())
        future.add_done_callback(lambda _: ended.put(False))
        told = run.progress("proposals", len(tasks) + len(missing))
        try:
            yield partial(self._joined, _Asked(meter, future, ended, told))
        finally:
            future.cancel()
            meter.abandon()

    def _joined(self, asked: _Asked, state: SearchState) -> SearchState:
        """Return the state with the instructions, once they are there; unchanged the next time."""
        meter = asked.meter
        if meter.closed:
            return state
        try:
            summaries, proposals = asked.result()
        except BudgetError:
            meter.settle(whole=True)
            self._tell(state, _TOO_DEAR)
            return state.without_proposals(_TOO_DEAR)
        except (MissingKeyError, UnknownModelError) as error:
            if self._run.settings.proposer_models:
                raise
            raise type(error)(f"{error}; {_BY_DEFAULT}") from error
        over = meter.over
        meter.settle(whole=over)
        if over:
            self._tell(state, _TOO_DEAR)
            return state.without_proposals(_TOO_DEAR)
        event = ProposalsMade(self._run.study.name, state.round + 1, tuple(proposals))
        self._run.services.emit(event)
        return replace(
            state,
            candidates=_extended(state, proposals),
            summaries=summaries,
            proposals=(*state.proposals, *proposals),
        )

    def _tell(self, state: SearchState, reason: str) -> None:
        self._run.services.emit(ProposalsMade(self._run.study.name, state.round + 1, (), reason))

    def _part(self, proposals: int, grounding: int) -> tuple[Part | None, bool]:
        """Return the part, and whether it holds a second request for each proposal.

        If possible, it also holds the calls that are refused as too long for the model, and halved.
        """
        for again, halvings in ((True, MOST_HALVINGS), (True, 0), (False, 0)):
            calls = grounding + proposals * (2 if again else 1)
            worst = self._worst(grounding + proposals, proposals if again else 0)
            part = self._run.ledger.part(
                "the proposals",
                worst + Amount(halvings * calls),
                None if halvings else self._each.times(calls) + replace(self._dearest, calls=0),
                stage="proposals",
                keep=self._baseline.leader_expects(),
            )
            if part is not None:
                return part, again
        return None, False

    def _tasks(self, state: SearchState, runs: Sequence[CaseRun]) -> list[ProposalTask]:
        """Return what to ask for, module by module, with a plan for each proposal."""
        settings = self._run.settings
        if self._policy is None or not (settings.candidates and settings.has("instructions")):
            return []
        tasks = []
        tests = self._baseline.study.tests
        # What lost a long request is asked the short one at once.
        short = {item.plan.model: item.plan.strategy for item in state.proposals if item.lost}
        for index, module in enumerate(state.candidates.modules):
            examples = module_examples(runs, module.signature, tests)
            history = _history(state, index, module)
            earlier = sum(item.signature == module.signature for item in state.proposals)
            for place in range(self._run.settings.candidates):
                seed, name = self._run.settings.seed, module.signature.full_name
                key = f"{seed}/{state.round}/{place}/{name}"
                plan = self._policy.plan(earlier + place)
                strategy = short.get(plan.model, plan.strategy)
                task = ProposalTask(
                    signature=module.signature,
                    instruction=module.instructions[state.incumbent[2 * index]],
                    examples=examples,
                    history=history,
                    plan=replace(plan, strategy=strategy),
                    key=key,
                )
                tasks.append(task)
        return tasks

    @property
    def worst_round(self) -> Amount:
        """The most that a round's proposals can take."""
        if self._policy is None:
            return Amount()
        proposals = self._run.settings.candidates * len(self._baseline.signatures)
        return self._worst(GROUNDING_CALLS + proposals, proposals)

    def _worst(self, calls: int, again: int) -> Amount:
        """Return the most that these requests to the proposer models can take.

        Of them, `again` are asked for once more, with twice the room.
        """
        cost_model = self._run.accounting.cost_model
        longest = Message("user", "x" * MAX_PROMPT_CHARACTERS)
        once = twice = Amount(1)
        for model in self._models:
            for factor in (1, 2):
                request = Request(model, (longest,), {"max_tokens": factor * proposal_limit()})
                if factor == 1:
                    once = once.at_least(cost_model.worst(request).known)
                else:
                    twice = twice.at_least(cost_model.worst(request).known)
        return once.times(calls) + twice.times(again)

    def learn(self, state: SearchState) -> SearchState:
        """Return the state with a lesson from each proposal tried since the last round.

        A proposal without a new instruction earns 0.
        """
        known = state.record.known
        effects = main_effects(known, state.candidates.committed)
        lessons: dict[int, Lesson] = {}
        for index, proposal in enumerate(state.proposals):
            choice = None
            if proposal.instruction:
                choice = state.candidates.choice_of(proposal.signature, proposal.instruction)
            if index in state.rewarded or (choice and choice not in effects):
                continue  # it has its lesson, or was not tried yet
            lift, rows = 0.0, self._run.settings.minibatch_size
            if choice:
                dimension, value = choice
                rows = sum(i.rows for i in known if i.assignment[dimension] == value)
                seen = unshrunk(effects[choice], rows)  # the policy weighs it by its rows
                lift = min(1.0, max(-1.0, seen))
            lessons[index] = Lesson(proposal.plan, lift, rows)
        if self._policy:
            for lesson in lessons.values():
                self._policy.learn(lesson)
        believed = tuple(self._policy.effects()) if self._policy else ()
        learnt = tuple(lessons.values())
        event = LessonsLearnt(self._run.study.name, state.round + 1, learnt, believed)
        self._run.services.emit(event)
        return replace(
            state,
            rewarded=state.rewarded.union(lessons),
            lessons=(*state.lessons, *learnt),
        )


def _extended(state: SearchState, proposals: Sequence[Proposal]) -> Candidates:
    modules, incumbent = [], state.incumbent
    for index, module in enumerate(state.candidates.modules):
        mine = [item for item in proposals if item.signature == module.signature]
        texts = [item.instruction for item in mine if item.instruction]
        modules.append(extended(module, texts, (), incumbent[2 * index : 2 * index + 2]))
    return Candidates(tuple(modules))


def _history(state: SearchState, index: int, module: ModuleCandidates) -> list[ScoredInstruction]:
    """Return the module's instructions that were tried, best first, each with its score.

    The score is the one that the user sees of the committed prompts, a constant of the study, and
    the instruction's effect beside equal partners: an average over the programs that it was tried
    in. No effect comes from the holdout.
    """
    baseline, committed = state.baseline, state.candidates.committed
    before = measured(baseline.evaluation.scores(), baseline.study.cases).objective
    lifts = {committed[2 * index]: 0.0}
    for (dimension, choice), lift in main_effects(state.record.known, committed).items():
        if dimension == 2 * index:
            lifts[choice] = lift
    ranked = sorted(lifts, key=lambda choice: (-lifts[choice], choice))
    return [
        ScoredInstruction(module.instructions[choice], min(1.0, max(0.0, before + lifts[choice])))
        for choice in ranked
    ]
