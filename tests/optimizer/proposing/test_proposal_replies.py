"""What becomes of the proposer models' replies: instructions, or asked for again, or left out."""

from dataclasses import replace

import pytest
from asked_proposer import GROUNDING, asked, propose
from optimizer_world import make_settings, note
from world_model import WorldClient, asks_again

from pytest_mipro.errors import ContextWindowError, EndpointError, RefusalError
from pytest_mipro.optimizer.proposing.proposer_models import (
    PROPOSAL_TOKENS,
    ProposerModels,
    unusable,
)
from pytest_mipro.optimizer.proposing.strategies import GroundedStrategy
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Reply, Request


def test_replies_that_are_empty_known_or_the_same_are_no_instructions() -> None:
    replies = ["  \n", "Sort it.", "Sort it so.", "Sort well.", '"Sort well."', "Sort.", "Sort. "]
    made, _ = propose(asked(count=7), lambda request: replies[request.sample])
    assert [proposal.reply for proposal in made] == replies
    assert [proposal.instruction for proposal in made] == [
        "",
        "",
        "",
        "Sort well.",
        "",
        "Sort.",
        "",
    ]


def test_another_module_may_have_the_same_instruction() -> None:
    (wanted,) = asked()
    other = replace(wanted, signature=note.signature, instruction="Note it.", history=())
    made, _ = propose([wanted, other], lambda request: "Sort it.")
    assert [proposal.instruction for proposal in made] == ["", "Sort it."]


@pytest.mark.parametrize("error", [RefusalError, ContextWindowError])
def test_a_refused_proposal_is_left_out(error: type[Exception]) -> None:
    def reply(request: Request) -> str:
        if request.sample == 1:
            raise error("not this one")
        return f"Do {request.sample}."

    made, _ = propose(asked(count=3), reply)
    assert [proposal.instruction for proposal in made] == ["Do 0.", "", "Do 2."]
    assert made[1].reply == ""


@pytest.mark.parametrize(
    ("first", "word", "limit"),
    [
        ("I'm sorry, but I can't help with that.", "inputs like those above", PROPOSAL_TOKENS),
        ("Which examples do you mean?", "You can't be answered", PROPOSAL_TOKENS),
        ("<think>Hm", "holds no instruction", PROPOSAL_TOKENS),
        ("Mind this. " * 800, "a much shorter one", PROPOSAL_TOKENS),
        ("Sort it so.", "an earlier instruction", PROPOSAL_TOKENS),
        ("cut", "was cut at its limit", 2 * PROPOSAL_TOKENS),
    ],
)
def test_an_unusable_reply_is_asked_for_once_more(first: str, word: str, limit: int) -> None:
    class Client(WorldClient):
        async def complete(self, request: Request) -> Reply:
            reply = await super().complete(request)
            return replace(reply, finish_reason="length") if reply.text == "cut" else reply

    def reply(request: Request) -> str:
        return "<instruction>Do well.</instruction>" if asks_again(request) else first

    client = Client(reply)
    proposer = ProposerModels(client, {"grounded": GroundedStrategy()}, make_settings())
    (made,) = loop.run(proposer.propose(asked(), GROUNDING))
    assert (made.instruction, made.problem) == ("Do well.", "")
    before, after = client.requests
    assert made.messages == before.messages == after.messages[:-2]
    assert word in after.messages[-1].content
    assert after.parameters["max_tokens"] == limit
    strategies = {"grounded": GroundedStrategy()}
    once = ProposerModels(Client(reply), strategies, make_settings(), again=False)
    (lost,) = loop.run(once.propose(asked(), GROUNDING))
    assert lost.instruction == ""
    assert unusable([made, lost]) == f"1 of 2 proposals unusable: 1 {lost.problem}"


def test_the_second_reply_may_be_one_of_those_that_the_first_offered() -> None:
    options = "Here are two options:\n1. Name the colour of the note.\n2. Name it well."

    def reply(request: Request) -> str:
        return (
            "<instruction>Name the colour of the note.</instruction>"
            if asks_again(request)
            else options
        )

    made, _ = propose(asked(), reply)
    assert [(one.instruction, one.problem) for one in made] == [
        ("Name the colour of the note.", "")
    ]


def test_what_is_asked_of_a_second_reply_is_no_instruction() -> None:
    made, _ = propose(asked(), lambda r: r.messages[-1].content if asks_again(r) else "")
    assert [(one.instruction, one.problem) for one in made] == [("", "repeated")]


def test_an_instruction_has_a_longest_length() -> None:
    def lengths(module: str, *proposed: int) -> list[int]:
        replies = iter(["y" * length for length in proposed])
        tasks = [replace(task, instruction=module) for task in asked(count=len(proposed))]
        client = WorldClient(lambda _: next(replies))
        once = ProposerModels(
            client, {"grounded": GroundedStrategy()}, make_settings(), again=False
        )
        made = loop.run(once.propose(tasks, GROUNDING))
        assert {each.problem for each in made if not each.instruction} <= {"too long"}
        return [len(each.instruction) for each in made]

    assert lengths("Sort it.", 8_000, 8_001) == [8_000, 0]
    assert lengths("x" * 10_000, 12_500, 12_501) == [12_500, 0]


def test_an_error_of_the_world_is_told() -> None:
    def reply(request: Request) -> str:
        raise EndpointError("fake/proposer: 503 after 5 tries")

    with pytest.raises(EndpointError, match="fake/proposer: 503 after 5 tries"):
        propose(asked(), reply)
