"""Instructions of a round: who is asked for how many, from which parents, and what is learnt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from made_runs import BASE, RULES, WINS, assessed, searched
from optimizer_world import (
    ALL_STRATEGIES,
    HARD,
    baseline_of,
    make_rows,
    make_services,
    make_settings,
    make_study,
    play,
    sort,
    without,
)
from world_model import PROPOSER, WorldClient, answer, asks_again, last, module_of

from pytest_mipro.errors import ContextWindowError
from pytest_mipro.optimizer.proposing.proposal_plan import Lesson, PlanSpace, ProposalPlan
from pytest_mipro.optimizer.proposing.strategy import (
    ProposalContext,
    ProposalRequest,
)
from pytest_mipro.optimizer.rounds.instruction_proposer import InstructionProposer
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import ProposalsMade
from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.run.study_run import study_run
from pytest_mipro.optimizer.search.candidates import Candidates
from pytest_mipro.optimizer.search.credit_assignment import main_effects
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.optimizer.study.settings import PARTS, OptimizerSettings
from pytest_mipro.runtime.client.contract import Request


def extended(client: WorldClient, wins: Sequence[Any] = WINS, **settings: Any) -> Any:
    """Return what comes of one round's instructions."""
    with baseline_of(client=client, **settings) as (run, baseline):
        known = searched(run, baseline, *wins)
        runs = trained(baseline)
        del client.requests[:]
        return known, joined(InstructionProposer(run, baseline), known, runs)


def joined(
    proposer: InstructionProposer, known: SearchState, runs: Sequence[CaseRun]
) -> SearchState:
    with proposer.asking(known, runs) as join:
        return join(known)


def trained(baseline: Baseline) -> list[CaseRun]:
    rows = set(baseline.split.train)
    return [item for item in baseline.evaluation.runs if item.case.row in rows]


def asked(client: WorldClient) -> Counter[str]:
    """Return how many proposals each module was asked for; "" stands for the grounding."""
    return Counter(module_of(it) for it in client.of(PROPOSER) if not asks_again(it))


# Who is asked.


def test_each_module_has_its_share_and_what_comes_is_new() -> None:
    client = WorldClient()
    before, after = extended(client=client, candidates=2)
    assert asked(client) == {"": 2, "note": 2, "sort": 2}
    assert len(after.proposals) == 4
    for old, new in zip(before.candidates.modules, after.candidates.modules, strict=True):
        assert new.instructions[: len(old.instructions)] == old.instructions
        made = [p.instruction for p in after.proposals if p.signature == new.signature]
        assert set(new.instructions) == {*old.instructions, *made} - {""}


def test_earlier_instructions_are_shown_with_an_average_over_their_partners() -> None:
    client = WorldClient()
    known, _ = extended(client=client)
    baseline = known.baseline
    before = measured(baseline.evaluation.scores(), baseline.study.cases).objective
    request = next(r for r in client.of(PROPOSER) if module_of(r) == "sort")
    effect = main_effects(known.record.known, BASE)[2, RULES[2]]
    assert f"instruction, score {before + effect:.3f}\nsea is blue" in last(request)
    assert f"Score {before:.3f}:\nChoose the colour.\n" in last(request)
    best = max(i.estimate - known.record.assessments[BASE].estimate for i in known.record.known)
    assert 0 < effect < best  # the rest is its partners'


def test_the_grounding_is_paid_for_once() -> None:
    client = WorldClient()
    with baseline_of(client=client) as (run, baseline):
        known = searched(run, baseline)
        proposer = InstructionProposer(run, baseline)
        for number in range(2):
            known = replace(known, round=number)
            known = joined(proposer, known, trained(baseline))
    assert asked(client)[""] == 2


def test_what_the_budget_does_not_hold_is_not_asked_for() -> None:
    client = WorldClient()
    # 84 calls of the baseline, 32 kept for a full evaluation, 2 for the grounding, 4 proposals
    before, after = extended(client=client, max_calls=84 + 32 + 6)
    assert len(after.proposals) == 4
    client = WorldClient()
    before, after = extended(client=client, max_calls=84 + 32 + 5)
    assert replace(after, unproposed={}) == before
    assert client.requests == []
    assert after.ending == "no new instructions in round 2: the budget holds no proposals"


def test_unusable_proposals_are_asked_for_once_more_where_the_budget_holds_that() -> None:
    def empty(request: Request) -> str:
        proposes = request.model == PROPOSER and module_of(request)
        return "" if proposes else answer(request)

    for calls, again in ((84 + 32 + 6 + 4, 4), (84 + 32 + 6, 0)):
        client = WorldClient(empty)
        _, after = extended(client=client, max_calls=calls)
        assert {proposal.problem for proposal in after.proposals} == {"empty"}
        assert sum(map(asks_again, client.requests)) == again


@pytest.mark.parametrize("max_calls", [None, 1_000])
def test_requests_that_a_model_can_not_take_cost_no_proposal(max_calls: int | None) -> None:
    """Each is refused as too long several times, and halved."""

    def small(request: Request) -> str:
        if request.model == PROPOSER and len(last(request)) > 3_000:
            raise ContextWindowError("the request is longer than the model takes")
        return answer(request)

    rows = [replace(row, text=f"{row.text}{' And so on.' * 300}") for row in make_rows()]
    settings = {"study": make_study(rows), "candidates": 6, "max_calls": max_calls}
    _, after = extended(client=WorldClient(small), **settings)
    assert len(after.proposals) == 12
    assert sum(proposal.halvings for proposal in after.proposals) == 12
    assert not any(proposal.problem == "request too long" for proposal in after.proposals)


@pytest.mark.parametrize(("left", "taken"), [(10, 10), (69, 10), (70, 70), (500, 70)])
def test_room_for_such_requests_is_taken_where_all_of_it_fits(left: int, taken: int) -> None:
    """What is left belongs to the trials that run meanwhile: 4 proposals, twice, 2 summaries."""
    with baseline_of(max_calls=84 + 32 + left) as (run, baseline):
        known, runs = searched(run, baseline), trained(baseline)
        with InstructionProposer(run, baseline).asking(known, runs):
            assert run.ledger.in_flight.calls == taken


def test_a_round_without_proposals_says_why() -> None:
    events: list[Any] = []
    with baseline_of(services={"emit": events.append}, max_calls=84 + 32 + 5) as (run, baseline):
        known = searched(run, baseline)
        runs = trained(baseline)
        joined(InstructionProposer(run, baseline), known, runs)
    (made,) = [event for event in events if isinstance(event, ProposalsMade)]
    assert (made.proposals, made.skipped) == ((), "the budget holds no proposals")


def test_where_nothing_is_to_be_asked_no_grounding_is_paid_for() -> None:
    client = WorldClient()
    for change in ({"candidates": 0}, {"parts": without("grounded")}):  # the only one given
        before, after = extended(client=client, **change)
        assert after is before
    assert client.requests == []


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
    assert names == ["grounded", "reflective", "brief", "curt"]


def test_a_model_that_lost_a_long_request_is_asked_a_short_one_from_then_on() -> None:
    def small(request: Request) -> str:
        long = last(request).count("### Example") > 4
        return "" if request.model == PROPOSER and long else answer(request)

    asked_of: list[list[str]] = []
    for reply in (small, answer):
        client = WorldClient(reply)
        with baseline_of(client=client, services={"strategies": ALL_STRATEGIES}) as (run, baseline):
            known = searched(run, baseline)
            proposer = InstructionProposer(run, baseline)
            first = joined(proposer, known, trained(baseline))
            del client.requests[:]
            then = joined(proposer, replace(first, round=2), trained(baseline))
            asked_of.append([p.plan.strategy for p in then.proposals[len(first.proposals) :]])
            assert len(client.requests) == len(asked_of[-1])
    assert set(asked_of[0]) == {"brief"}
    assert "brief" not in asked_of[1]


# What is learnt.


def plans_of(parts: frozenset[str], memory: Sequence[Lesson] = ()) -> list[ProposalPlan]:
    services = {"strategies": ALL_STRATEGIES, "lessons": memory}
    played = play(HARD, services=services, parts=parts, rounds=3, trials=12, patience=9)
    return [p.plan for event in played.seen(ProposalsMade) for p in event.proposals]


LEARNING = frozenset(PARTS)


def test_earlier_runs_teach_how_to_ask() -> None:
    settings = OptimizerSettings(parts=LEARNING)
    plans = PlanSpace([item.name for item in ALL_STRATEGIES], (PROPOSER,), settings)
    base = plans.rotated(0)
    memory = [
        Lesson(replace(base, tip=tip), 0.5 * (tip == "persona"), 200)
        for tip in plans.choices["tip"]
        for _ in range(8)
    ]
    assert {plan.tip for plan in plans_of(LEARNING, memory)} == {"persona"}
    assert "persona" not in {plan.tip for plan in plans_of(LEARNING - {"learning"}, memory)}


def test_a_lesson_is_the_lift_of_an_instruction_that_was_tried_and_0_for_a_useless_one() -> None:
    client = WorldClient()
    with baseline_of(client=client) as (run, baseline):
        known = searched(run, baseline, *WINS)
        runs = trained(baseline)
        proposer = InstructionProposer(run, baseline)
        grown = joined(proposer, known, runs)
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
        effect = main_effects(grown.record.known, BASE)[dimension, choice]
        assert lesson.lift == effect * (16 + 15) / 16  # as it was seen: the policy weighs it
        assert 0.4 < lesson.lift < 1
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
        runs = trained(baseline)
        proposer = InstructionProposer(run, baseline)
        learnt = proposer.learn(joined(proposer, known, runs))
        assert [lesson.lift for lesson in learnt.lessons] == [0.0] * 4
