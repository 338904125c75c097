"""Instructions of a round: who is asked for how many, from which parents, and what is learnt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from made_runs import BASE, KEEPS, RULES, WINS, assessed, searched
from optimizer_world import (
    ALL_STRATEGIES,
    HARD,
    Played,
    baseline_of,
    make_services,
    make_settings,
    make_study,
    note,
    play,
    sort,
    without,
)
from world_model import PROPOSER, WorldClient, answer, asks_again, last, module_of

from pytest_mipro.optimizer.proposing.proposal_plan import Lesson, PlanSpace
from pytest_mipro.optimizer.proposing.strategy import (
    ProposalContext,
    ProposalRequest,
)
from pytest_mipro.optimizer.rounds.bootstrap import training_runs
from pytest_mipro.optimizer.rounds.instruction_proposer import InstructionProposer
from pytest_mipro.optimizer.run.events import ProposalsMade
from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.run.study_run import study_run
from pytest_mipro.optimizer.search.candidates import Candidates
from pytest_mipro.optimizer.search.searcher import Assignment, RandomSearcher, Space
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.optimizer.study.settings import PARTS, OptimizerSettings
from pytest_mipro.runtime.client.contract import Request


def extended(client: WorldClient, wins: Sequence[Any] = WINS, **settings: Any) -> Any:
    """Return what comes of one round's instructions."""
    with baseline_of(client=client, **settings) as (run, baseline):
        known = searched(run, baseline, *wins)
        runs = training_runs(known)
        assert runs is not None
        del client.requests[:]
        return known, InstructionProposer(run, baseline).extend(known, runs)


def asked(client: WorldClient) -> Counter[str]:
    """Return how many proposals each module was asked for; "" stands for the grounding."""
    return Counter(module_of(it) for it in client.of(PROPOSER) if not asks_again(it))


# Who is asked.


def test_each_module_has_its_share_and_what_comes_is_new() -> None:
    client = WorldClient()
    before, after = extended(client=client, candidates=2)
    assert asked(client) == {"": 4, "note": 2, "sort": 2}
    assert len(after.proposals) == 4
    for old, new in zip(before.candidates.modules, after.candidates.modules, strict=True):
        assert new.instructions[: len(old.instructions)] == old.instructions
        made = [p.instruction for p in after.proposals if p.signature == new.signature]
        assert set(new.instructions) == {*old.instructions, *made} - {""}


def test_earlier_instructions_are_shown_with_their_best_program() -> None:
    client = WorldClient()
    known, _ = extended(client=client)
    baseline = known.baseline
    before = measured(baseline.evaluation.scores(), baseline.study.cases).objective
    request = next(r for r in client.of(PROPOSER) if module_of(r) == "sort")
    lift = before - known.record.assessments[BASE].leading  # the user's score is of all rows
    assert lift != 0
    estimates = {i.assignment: lift + i.leading for i in known.record.assessments.values()}
    # The committed instruction stood in two programs, of which the other one was better.
    assert f"instruction, score {estimates[KEEPS]:.3f}\nChoose the colour.\n" in last(request)
    assert f"Score {estimates[RULES]:.3f}:\nsea is blue" in last(request)


def test_the_grounding_is_paid_for_once() -> None:
    client = WorldClient()
    with baseline_of(client=client) as (run, baseline):
        known = searched(run, baseline)
        proposer = InstructionProposer(run, baseline)
        for number in range(2):
            known = replace(known, round=number)
            runs = training_runs(known)
            assert runs is not None
            known = proposer.extend(known, runs)
    assert asked(client)[""] == 4


def test_what_the_budget_does_not_hold_is_not_asked_for() -> None:
    client = WorldClient()
    # 84 calls of the baseline, 32 kept for a full evaluation, 5 for the grounding, 4 proposals
    before, after = extended(client=client, max_calls=84 + 32 + 9)
    assert len(after.proposals) == 4
    client = WorldClient()
    before, after = extended(client=client, max_calls=84 + 32 + 8)
    assert after is before
    assert client.requests == []


def test_unusable_proposals_are_asked_for_once_more_where_the_budget_holds_that() -> None:
    def empty(request: Request) -> str:
        proposes = request.model == PROPOSER and module_of(request)
        return "" if proposes else answer(request)

    for calls, again in ((84 + 32 + 9 + 4, 4), (84 + 32 + 9, 0)):
        client = WorldClient(empty)
        _, after = extended(client=client, max_calls=calls)
        assert {proposal.problem for proposal in after.proposals} == {"empty"}
        assert sum(map(asks_again, client.requests)) == again


def test_a_round_without_proposals_says_why() -> None:
    events: list[Any] = []
    with baseline_of(services={"emit": events.append}, max_calls=84 + 32 + 8) as (run, baseline):
        known = searched(run, baseline)
        runs = training_runs(known)
        assert runs is not None
        InstructionProposer(run, baseline).extend(known, runs)
    (made,) = [event for event in events if isinstance(event, ProposalsMade)]
    assert (made.proposals, made.skipped) == ((), "the budget holds no proposals")


def test_where_nothing_is_to_be_asked_no_grounding_is_paid_for() -> None:
    client = WorldClient()
    for change in ({"candidates": 0}, {"parts": without("grounded")}):  # the only one given
        before, after = extended(client=client, **change)
        assert after is before
    assert client.requests == []

    def bare(row: Any) -> Outcome:
        """A test whose failing training cases reach no module."""
        if row.split == "train":
            return Outcome(0.0)
        return Outcome(float(sort(note=note(text=row.text)) == row.colour))

    events: list[Any] = []
    client = WorldClient()
    play(make_study(tests={"test": bare}), client, {"emit": events.append}, max_demos=0)
    assert not client.of(PROPOSER)
    assert not any(isinstance(event, ProposalsMade) for event in events)


def test_several_proposer_models_take_turns() -> None:
    def reply(request: Request) -> str:
        proposing = request.model == "fake/one"
        return answer(replace(request, model=PROPOSER) if proposing else request)

    models = ("fake/one", PROPOSER)
    played = play(client=WorldClient(reply), proposer_models=models)
    plans = [p.plan for event in played.seen(ProposalsMade) for p in event.proposals]
    assert {plan.model for plan in plans} == {"fake/one", PROPOSER}
    assert {request.model for request in played.client.requests} > {"fake/one", PROPOSER}


# Strategies.


class Curt:
    """A user's strategy, which asks for instructions."""

    name = "curt"

    def request(self, context: ProposalContext, rng: Random) -> ProposalRequest | None:
        return None


def test_the_parts_switch_off_the_built_in_strategies_alone() -> None:
    settings = make_settings(parts=frozenset(PARTS) - {"history"})
    services = make_services(WorldClient(), strategies=[*ALL_STRATEGIES, Curt()])
    names = [item.name for item in study_run(HARD, services, settings).strategies()]
    assert names == ["grounded", "reflective", "curt"]


# What is learnt.


def lessons_of(parts: frozenset[str], memory: Sequence[Lesson] = ()) -> tuple[Played, list[Any]]:
    spaces: list[tuple[Space, RandomSearcher]] = []

    def searcher(space: Space, seed: int) -> Listening:
        spaces.append((space, Listening(space, seed)))
        return spaces[-1][1]  # type: ignore[return-value]

    services = {"strategies": ALL_STRATEGIES, "searcher": searcher, "lessons": memory}
    return play(HARD, services=services, parts=parts, rounds=3, trials=12, patience=9), spaces


class Listening(RandomSearcher):
    """Notes what it is told."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.told: list[tuple[Assignment, float, float]] = []

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        super().tell(assignment, score, weight)
        self.told.append((assignment, score, weight))


LEARNING = frozenset(PARTS)


def test_with_learning_the_plans_are_asked_of_a_searcher_that_is_told_what_they_earned() -> None:
    played, spaces = lessons_of(LEARNING)
    (plans,) = [made for space, made in spaces if "strategy" in space.names]
    made = [p for event in played.seen(ProposalsMade) for p in event.proposals]
    assert {plan.plan.temperature for plan in made} == {1.0, 0.7}
    assert len({plan.plan.examples for plan in made}) > 1
    assert 0 < len(plans.told) <= len(made)
    assert any(score > 0.5 for _, score, _ in plans.told)


def test_without_learning_no_searcher_is_made_for_plans() -> None:
    played, spaces = lessons_of(OptimizerSettings().parts)
    assert not [space for space, _ in spaces if "strategy" in space.names]
    assert played.seen(ProposalsMade)


def test_what_earlier_runs_learnt_is_told_before_anything_is_asked() -> None:
    plans = PlanSpace(("grounded", "reflective", "history"), (PROPOSER,), OptimizerSettings())
    memory = [Lesson(plans.plan((1, 0, 0, 0, 0, 0, 0)), 0.25, 40)]
    _, spaces = lessons_of(LEARNING, memory)
    (told,) = [made.told for space, made in spaces if "strategy" in space.names]
    assert told[0] == ((1, 0, 0, 0, 0, 0, 0), 0.625, 40)


def test_a_lesson_is_the_lift_of_an_instruction_that_was_tried_and_0_for_a_useless_one() -> None:
    client = WorldClient()
    with baseline_of(client=client) as (run, baseline):
        known = searched(run, baseline, *WINS)
        runs = training_runs(known)
        assert runs is not None
        proposer = InstructionProposer(run, baseline)
        grown = proposer.extend(known, runs)
        useless = [p for p in grown.proposals if not p.instruction]
        tried = next(p for p in grown.proposals if p.instruction and p.signature == sort.signature)
        dimension, choice = grown.candidates.choice_of(tried.signature, tried.instruction)
        grown = proposer.learn(grown)
        assert [lesson.lift for lesson in grown.lessons] == [0.0] * len(useless)

        assignment = tuple(choice if place == dimension else 0 for place in range(4))
        best = grown.record.assessments[RULES]
        better = assessed(assignment, 1.0, number=9, rows=16, scores=best.scores, full=True)
        grown = proposer.learn(replace(grown, record=grown.record.with_assessment(better)))
        lesson = grown.lessons[-1]
        assert lesson.plan == tried.plan
        assert lesson.rows == 16
        assert 0.2 < lesson.lift < 1 - best.estimate + 0.3
        assert len(proposer.learn(grown).lessons) == len(grown.lessons) == len(useless) + 1


def test_a_refusal_is_a_lesson_also_where_the_committed_instruction_is_empty() -> None:
    def refusing(request: Request) -> str:
        return "" if request.model == PROPOSER else answer(request)

    with baseline_of(client=WorldClient(refusing)) as (run, baseline):
        known = searched(run, baseline, *WINS)
        bare = [
            replace(module, instructions=("", *module.instructions[1:]))
            for module in known.candidates.modules
        ]
        known = replace(known, candidates=Candidates(tuple(bare)))
        runs = training_runs(known)
        assert runs is not None
        proposer = InstructionProposer(run, baseline)
        learnt = proposer.learn(proposer.extend(known, runs))
        assert [lesson.lift for lesson in learnt.lessons] == [0.0] * 4
