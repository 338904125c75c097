"""Requests that are longer than a limit, than the model takes, or than it keeps in mind."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest
from asked_proposer import asked, propose

from pytest_mipro.errors import ContextWindowError
from pytest_mipro.optimizer.proposing.strategies import BriefStrategy, GroundedStrategy
from pytest_mipro.optimizer.proposing.strategy import ProposalContext, ProposalRequest
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.runtime.client.contract import Message, Request


def test_the_limit_in_characters_bounds_each_request(
    runs: Sequence[CaseRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,), _ = propose(asked(runs))
    limit = "pytest_mipro.optimizer.proposing.proposer_models.MAX_PROMPT_CHARACTERS"
    monkeypatch.setattr(limit, 1600)
    (made,), _ = propose(asked(runs))
    assert size(whole.messages) > 1600
    assert size(made.messages) <= 1600
    assert made.cut == ()
    assert whole.dropped == 0 < made.dropped < len(runs)


def size(messages: Sequence[Message]) -> int:
    return sum(len(message.content) for message in messages)


def window(characters: int) -> Callable[[Request], str]:
    """Return the replies of a model that takes no longer request."""

    def reply(request: Request) -> str:
        if size(request.messages) > characters:
            raise ContextWindowError("the request is longer than the model takes")
        return f"Do {request.sample}."

    return reply


def longer(runs: Sequence[CaseRun]) -> list[CaseRun]:
    """Return 32 runs with long inputs."""
    made = []
    for number, run in enumerate([*runs] * 4):
        given = {"note": f"{number} {'and more ' * 40}"}
        calls = tuple(replace(call, inputs=given) for call in run.calls)
        made.append(replace(run, case=replace(run.case, row=f"{number}"), calls=calls))
    return made


def test_what_a_model_cant_take_is_halved_by_dropping_whole_examples(
    runs: Sequence[CaseRun],
) -> None:
    many = longer(runs)
    (whole,), _ = propose(asked(many))
    assert whole.messages[1].content.count("### Example") == 32
    (made,), client = propose(asked(many), window(size(whole.messages) - 1))
    assert (made.instruction, made.halvings, len(client.requests)) == ("Do 0.", 1, 2)
    shown = made.messages[1].content.count("### Example")
    assert shown == 8
    assert (made.cut, made.dropped) == ((), 32 - shown)
    every = whole.messages[1].content.split("### Example ")
    for example in made.messages[1].content.split("### Example ")[1:-1]:
        assert any(example[3:].strip() in other for other in every)
    (again,), client = propose(asked(many), window(size(made.messages) - 1))
    assert (again.instruction, again.halvings) == ("Do 0.", 2)
    assert again.dropped > made.dropped
    assert again.messages[1].content.count("### Example") > 0


def test_a_model_that_takes_nothing_is_not_asked_forever(runs: Sequence[CaseRun]) -> None:
    (made,), client = propose(asked(longer(runs)), window(0))
    assert (made.reply, made.instruction) == ("", "")
    assert 0 < made.halvings < 6
    assert len(client.requests) == made.halvings + 1


def test_a_strategy_that_keeps_no_limit_is_asked_once() -> None:
    class Stubborn:
        name = "stubborn"

        def request(self, context: ProposalContext, rng: Random) -> ProposalRequest:
            return ProposalRequest((Message("user", "x" * 9_000),))

    (made,), client = propose(asked(strategy="stubborn"), window(0), (Stubborn(),))
    assert (made.instruction, len(client.requests)) == ("", 1)


@pytest.mark.parametrize("answer_to_long", ["", "Sort it so.", "REQUEST"])
def test_a_model_that_loses_a_long_request_is_asked_the_shortest_one(
    runs: Sequence[CaseRun], answer_to_long: str
) -> None:
    def reply(request: Request) -> str:
        text = request.messages[-1].content
        if text.count("### Example") < 6:
            return "Do well."
        return text if answer_to_long == "REQUEST" else answer_to_long

    strategies = (GroundedStrategy(), BriefStrategy())
    (made,), client = propose(asked(longer(runs)), reply, strategies)
    assert (made.instruction, made.problem) == ("Do well.", "")
    assert (made.plan.strategy, made.lost) == ("brief", True)
    long, short = client.requests
    assert made.messages == short.messages
    assert size(short.messages) < size(long.messages) / 2
    again, _ = propose(asked(longer(runs)), lambda _: "I'm sorry, I can't.", strategies)
    assert (again[0].plan.strategy, again[0].lost) == ("grounded", False)
