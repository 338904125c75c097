"""Proposals: what is asked of the proposer model, and what of its replies becomes a candidate."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimizer_world import make_rows, make_study, note, play, sort
from world_model import PROPOSER, WorldClient, answer, module_of

from pytest_mipro.errors import ContextWindowError, EndpointError, RefusalError
from pytest_mipro.optimizer.budget import CallBudget, LogicalLedger
from pytest_mipro.optimizer.evaluate import Evaluator
from pytest_mipro.optimizer.events import CandidatesReady
from pytest_mipro.optimizer.grounding import Grounding
from pytest_mipro.optimizer.propose import GROUNDING_CALLS, Material, Proposer, clean_instruction
from pytest_mipro.optimizer.strategies.grounded import GroundedStrategy
from pytest_mipro.optimizer.strategies.strategy import (
    ProposalContext,
    ProposalRequest,
    ScoredInstruction,
)
from pytest_mipro.runtime.client import Message, Request
from pytest_mipro.runtime.prompt import Prompt

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
SIGNATURES = (note.signature, sort.signature)
GROUNDING = Grounding("the dataset", "the program")


@pytest.fixture(scope="module")
def material() -> Material:
    study = make_study(make_rows(8, 0, 0))
    made = Evaluator(study, WorldClient(), LogicalLedger(), concurrency=4)
    reservation = CallBudget(None).reserve(99, "baseline")
    assert reservation is not None
    runs = made.start({}, study.cases, reservation).result().runs
    made.close()
    prompts = {NOTE: Prompt("Note it."), SORT: Prompt("Sort it.")}
    return Material(runs, prompts, {SORT: [ScoredInstruction("Sort it.", 0.25)]}, "0/0")


def propose(
    material: Material,
    reply: Callable[[Request], str],
    count: int = 4,
    strategies: Sequence[Any] = (),
) -> tuple[dict[Any, list[str]], WorldClient]:
    client = WorldClient(reply)
    proposer = Proposer(client, PROPOSER, strategies or [GroundedStrategy()])
    return proposer.instructions(material, GROUNDING, SIGNATURES, count), client


def test_each_module_is_asked_for_count_instructions_at_temperature_one(material: Material) -> None:
    texts, client = propose(material, lambda request: f"{module_of(request)} {request.sample}")
    assert texts == {
        NOTE: ["note 0", "note 1", "note 2", "note 3"],
        SORT: ["sort 0", "sort 1", "sort 2", "sort 3"],
    }
    assert len(client.requests) == len(client.digests) == 8
    for request in client.requests:
        assert request.model == PROPOSER
        assert request.parameters == {"temperature": 1.0}
        assert [message.role for message in request.messages] == ["system", "user"]
    by_module = [r for r in client.requests if module_of(r) == "sort"]
    assert {request.sample for request in by_module} == {0, 1, 2, 3}
    assert all("Score 0.250:\nSort it." in r.messages[1].content for r in by_module)


def test_replies_that_are_empty_known_or_the_same_are_no_proposals(material: Material) -> None:
    replies = ["  \n", "Sort it.", "Sort well.", '"Sort well."', "```\nSort well.\n```", "Sort."]
    texts, _ = propose(material, lambda request: replies[request.sample], 6)
    assert texts == {NOTE: ["Sort it.", "Sort well.", "Sort."], SORT: ["Sort well.", "Sort."]}


@pytest.mark.parametrize("error", [RefusalError, ContextWindowError])
def test_a_refused_proposal_is_left_out(material: Material, error: type[Exception]) -> None:
    def reply(request: Request) -> str:
        if request.sample == 1:
            raise error("not this one")
        return f"Do {request.sample}."

    assert propose(material, reply, 3)[0][NOTE] == ["Do 0.", "Do 2."]


def test_an_error_of_the_world_is_told(material: Material) -> None:
    def reply(request: Request) -> str:
        raise EndpointError("fake/proposer: 503 after 5 tries")

    with pytest.raises(EndpointError, match="fake/proposer: 503 after 5 tries"):
        propose(material, reply)


class Named:
    """A strategy that says its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def requests(
        self, context: ProposalContext, count: int, rng: random.Random
    ) -> list[ProposalRequest]:
        text = f"{self.name} {context.signature.name} {rng.random()}"
        return [ProposalRequest((Message("user", text),), self.name) for _ in range(count)]


@given(st.integers(0, 9), st.integers(1, 4))
def test_strategies_share_the_proposals(count: int, strategies: int) -> None:
    material = Material((), {NOTE: Prompt("Note it."), SORT: Prompt("Sort it.")}, {}, "0/0")
    names = [f"s{n}" for n in range(strategies)]
    _, client = propose(material, lambda request: "x", count, [Named(name) for name in names])
    assert len(client.requests) == 2 * count
    shares = [
        sum(request.messages[0].content.startswith(f"{name} ") for request in client.requests) // 2
        for name in names
    ]
    assert sum(shares) == count
    assert shares == sorted(shares, reverse=True)
    assert max(shares) - min(shares) <= 1
    again = propose(material, lambda request: "x", count, [Named(name) for name in names])[1]
    assert again.digests == client.digests


def test_grounding_asks_no_more_than_is_reserved_for_it(material: Material) -> None:
    client = WorldClient()
    proposer = Proposer(client, PROPOSER, [GroundedStrategy()])
    cases = make_study(make_rows(99, 0, 0)).cases
    grounding = proposer.ground(cases, material.runs, SIGNATURES, 0)
    assert len(client.requests) == GROUNDING_CALLS
    assert grounding.dataset.startswith("A summary of")
    assert grounding.program != grounding.dataset


def test_a_refused_grounding_does_not_end_the_study() -> None:
    def refusing(request: Request) -> str:
        if request.model == PROPOSER and not module_of(request):
            raise RefusalError("the content filter refused the request")
        return answer(request)

    played = play(client=WorldClient(refusing))
    assert played.result.prompts
    asked = [r for r in played.client.of(PROPOSER) if module_of(r)]
    assert all("## Program\n(not known)" in request.messages[1].content for request in asked)


def test_a_refusal_of_all_proposals_leaves_the_demos() -> None:
    def refusing(request: Request) -> str:
        if request.model == PROPOSER and module_of(request):
            raise RefusalError("the content filter refused the request")
        return answer(request)

    played = play(client=WorldClient(refusing))
    ready = played.seen(CandidatesReady)[0]
    assert set(ready.instructions.values()) == {1}
    assert min(ready.demo_sets.values()) > 1
    assert played.result.trials > 0


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("  Sort it.  \n", "Sort it."),
        ("```\nSort it.\n```", "Sort it."),
        ("```text\nSort it.\n  Well.\n```", "Sort it.\n  Well."),
        ('"Sort it."', "Sort it."),
        ("'Sort it.'", "Sort it."),
        ('"a" goes to "b"', '"a" goes to "b"'),
        ("'", "'"),
        ("Use ```x``` here.", "Use ```x``` here."),
        ("Sort it.  \r\nWell.\t\n", "Sort it.\nWell."),
        ("```\n```", ""),
        ('""', ""),
    ],
)
def test_fences_and_quotes_around_an_instruction_are_not_part_of_it(reply: str, text: str) -> None:
    assert clean_instruction(reply) == text


@given(st.text())
def test_a_cleaned_instruction_can_be_written_as_it_was_measured(reply: str) -> None:
    text = clean_instruction(reply)
    assert text == text.strip()
    assert "\r" not in text
    assert all(line == line.rstrip() for line in text.split("\n"))
