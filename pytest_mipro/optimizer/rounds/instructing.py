"""New instructions of a round: who is asked for how many, from what, and what they earned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mipro.errors import BudgetError, LimitReachedError
from pytest_mipro.optimizer.proposing.credit import credits_of, reach, shares
from pytest_mipro.optimizer.proposing.learning import Learner, Lesson, Rotation
from pytest_mipro.optimizer.proposing.plans import PlanSpace
from pytest_mipro.optimizer.proposing.proposal_context import module_examples
from pytest_mipro.optimizer.proposing.propose import (
    GROUNDING_CALLS,
    MAX_PROMPT_CHARACTERS,
    PROPOSAL_TOKENS,
    Asked,
    Proposer,
)
from pytest_mipro.optimizer.proposing.strategy import ProposalStrategy, ScoredInstruction
from pytest_mipro.optimizer.run.events import LessonsLearnt, ProposalsMade
from pytest_mipro.optimizer.search.candidates import Candidates, extended
from pytest_mipro.optimizer.search.main_effects import main_effects
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import cases_of
from pytest_mipro.optimizer.study.parts import PARTS
from pytest_mipro.runtime.client.contract import Message, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_mipro.optimizer.proposing.learning import Policy
    from pytest_mipro.optimizer.proposing.proposed import Proposed
    from pytest_mipro.optimizer.rounds.search_state import SearchState
    from pytest_mipro.optimizer.rounds.teaching import Parent
    from pytest_mipro.optimizer.run.baseline import Ground
    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.optimizer.search.candidates import ModuleCandidates
    from pytest_mipro.optimizer.study.settings import OptimizerSettings


class InstructionProposer:
    """Asks for instructions in all rounds of a study, and learns how to ask."""

    def __init__(self, run: StudyRun, ground: Ground) -> None:
        self._run = run
        self._ground = ground
        settings = run.settings
        self._strategies = {
            item.name: item for item in switched_on(run.services.strategies, settings) if asks(item)
        }
        models = settings.proposer_models or (ground.models[ground.signatures[0].prompt_path],)
        self._models = models
        self._model = models[0]
        self._policy: Policy | None = None
        self._told: set[int] = set()
        self.lessons: list[Lesson] = []
        if self._strategies:
            plans = PlanSpace(tuple(self._strategies), models, settings)
            rotation = Rotation(plans, tuple(self._strategies))
            self._policy = rotation
            if settings.has("learning"):
                searcher = run.services.searcher(plans.space, settings.seed)
                self._policy = Learner(plans, searcher, rotation, run.services.lessons)

    def extend(self, searched: SearchState, parents: Sequence[Parent], number: int) -> SearchState:
        """Return the space with a round's instructions; none where the budget does not hold them.

        Each module gets its share of the round's proposals, from the parents in turn.
        """
        if self._policy is None or self._run.settings.candidates == 0:
            return searched
        asked = self._asked(self._policy, searched, parents, number)
        if not asked:
            return searched
        grounding_calls = GROUNDING_CALLS if searched.grounding is None else 0
        calls = grounding_calls + len(asked)
        reservation = self._run.budget.reserve(
            self._worst(calls), "the proposals", stage="proposals", keep=self._ground.full
        )
        if reservation is None:
            return searched
        self._run.start("proposals", calls)
        meter, client = self._run.accounting.opened(self._run.services.client, reservation)
        proposer = Proposer(client, self._strategies, self._run.settings)
        try:
            grounding = searched.grounding or proposer.ground(
                cases_of(self._ground.study, self._ground.split.train),
                parents[0].runs,
                self._ground.signatures,
                self._model,
            )
            proposals = proposer.proposals(asked, grounding)
        except BudgetError:  # prompts of more tokens a character than any of the baseline's
            meter.settle(whole=True)
            return searched
        except LimitReachedError:
            meter.abandon()
            raise
        meter.settle()
        self._run.services.emit(ProposalsMade(self._run.study.name, number, tuple(proposals)))
        grown = _extended(searched.candidates, proposals)
        return replace(
            searched,
            candidates=grown,
            grounding=grounding,
            proposals=(*searched.proposals, *proposals),
        )

    def _worst(self, calls: int) -> Amount:
        """Return what so many requests to the proposer models may take."""
        cost_model = self._run.accounting.cost_model
        longest = Message("user", "x" * MAX_PROMPT_CHARACTERS)
        limit = {"max_tokens": PROPOSAL_TOKENS}
        each = Amount(1)
        for model in self._models:
            each = each.at_least(cost_model.worst(Request(model, (longest,), limit)))
        return each.times(calls)

    def learn(self, searched: SearchState, number: int) -> None:
        """Take what each proposal earned that was tried since; what was of no use earned 0."""
        fresh = list(self._fresh_lessons(searched))
        if self._policy is not None:
            for lesson in fresh:
                self._policy.learn(lesson)
        self.lessons += fresh
        event = LessonsLearnt(self._run.study.name, number, tuple(fresh))
        self._run.services.emit(event)

    def _fresh_lessons(self, searched: SearchState) -> Iterator[Lesson]:
        record, committed = searched.record, searched.candidates.committed
        known = record.known
        effects = main_effects(known, committed)
        for number, proposal in enumerate(searched.proposals):
            if number in self._told:
                continue
            choice = None
            if proposal.instruction:
                choice = searched.candidates.choice_of(proposal.signature, proposal.instruction)
            rows = self._run.settings.minibatch_size
            if choice is not None:
                rows = sum(i.rows for i in known if i.assignment[choice[0]] == choice[1])
                if choice not in effects:
                    continue  # not tried yet
            self._told.add(number)
            yield Lesson(proposal.plan, 0.0 if choice is None else effects[choice], rows)

    def _asked(
        self, policy: Policy, searched: SearchState, parents: Sequence[Parent], number: int
    ) -> list[Asked]:
        asked = []
        for index, share in enumerate(self._shares(searched, parents[0])):
            module = searched.candidates.modules[index]
            history = _history(searched, index, module)
            earlier = sum(item.signature == module.signature for item in searched.proposals)
            for place in range(share):
                parent = parents[place % len(parents)]
                asked.append(
                    Asked(
                        signature=module.signature,
                        instruction=module.instructions[parent.assignment[2 * index]],
                        examples=module_examples(parent.runs, module.signature),
                        history=history,
                        plan=policy.plan(earlier + place),
                        key=f"{self._run.settings.seed}/{number}/{place}/{module.signature.name}",
                    )
                )
        return asked

    def _shares(self, searched: SearchState, parent: Parent) -> list[int]:
        """Return how many proposals each module gets."""
        settings, modules = self._run.settings, searched.candidates.modules
        if not settings.has("credit"):
            return [settings.candidates] * len(modules)
        paths = [module.signature.prompt_path for module in modules]
        lifts = credits_of(searched.record, searched.candidates.committed)
        return shares(settings.candidates * len(modules), lifts, reach(parent.runs, paths))


def switched_on(
    strategies: Iterable[ProposalStrategy], settings: OptimizerSettings
) -> list[ProposalStrategy]:
    """Return the strategies without the built-in ones that are switched off."""
    return [item for item in strategies if item.name not in PARTS or settings.has(item.name)]


def asks(strategy: ProposalStrategy) -> bool:
    """Return whether the strategy asks for instructions."""
    return getattr(type(strategy), "request", None) not in (None, ProposalStrategy.request)


def combines(strategy: ProposalStrategy) -> bool:
    """Return whether the strategy makes programs out of programs."""
    return getattr(type(strategy), "programs", None) not in (None, ProposalStrategy.programs)


def _extended(candidates: Candidates, proposals: Sequence[Proposed]) -> Candidates:
    modules = []
    for module in candidates.modules:
        mine = [item for item in proposals if item.signature == module.signature]
        modules.append(extended(module, [i.instruction for i in mine if i.instruction], ()))
    return Candidates(tuple(modules))


def _history(
    searched: SearchState, index: int, module: ModuleCandidates
) -> list[ScoredInstruction]:
    """Return the module's instructions, best first, with their best program's estimate."""
    scores: dict[int, float] = {}
    for item in searched.record.known:
        choice = item.assignment[2 * index]
        scores[choice] = max(item.leading, scores.get(choice, 0.0))
    ranked = sorted(scores, key=lambda choice: (-scores[choice], choice))
    return [ScoredInstruction(module.instructions[choice], scores[choice]) for choice in ranked]
