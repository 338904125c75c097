"""What is asked of the proposer models: instructions by plan and strategy, and summaries."""

import gc
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from asked_proposer import PLAN, SIGNATURES, asked, propose
from optimizer_world import make_rows, make_settings, make_study, play, sort
from world_model import PROPOSER, WorldClient, answer, module_of

from pytest_mipro.errors import RefusalError
from pytest_mipro.optimizer.proposing.proposal_plan import TIPS
from pytest_mipro.optimizer.proposing.proposal_task import ProposalTask
from pytest_mipro.optimizer.proposing.proposer_models import (
    GROUNDING_CALLS,
    PROPOSAL_TOKENS,
    ProposerModels,
)
from pytest_mipro.optimizer.proposing.strategy import ProposalContext, ProposalRequest
from pytest_mipro.optimizer.run.events import CandidatesReady
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request
from pytest_mipro.runtime.settings import current_settings


def test_a_proposal_holds_what_the_proposer_saw_and_said(runs: Sequence[CaseRun]) -> None:
    wanted = asked(runs)
    (made,), client = propose(wanted, lambda request: '"Do well."  ')
    (request,) = client.requests
    assert request.model == PROPOSER
    assert (made.signature, made.plan) == (sort.signature, wanted[0].plan)
    assert made.messages == request.messages
    assert [message.role for message in made.messages] == ["system", "user"]
    assert (made.cut, made.reply, made.instruction) == ((), '"Do well."  ', "Do well.")
    assert "## Current instruction, score 0.250\nSort it." in made.messages[1].content


def test_the_plan_says_which_model_answers_and_how_hot(runs: Sequence[CaseRun]) -> None:
    wanted = [*asked(runs, model="a/b", temperature=0.7), *asked(runs, model="c/d")]
    _, client = propose(wanted)
    sent = [(request.model, dict(request.parameters)) for request in client.requests]
    limit = {"max_tokens": PROPOSAL_TOKENS}
    assert sent == [("a/b", {"temperature": 0.7, **limit}), ("c/d", {"temperature": 1.0, **limit})]


@pytest.mark.parametrize(
    ("change", "missing"),
    [({"dataset": False}, "THE DATASET"), ({"program": False}, "THE PROGRAM")],
)
def test_the_plan_says_which_grounding_is_shown(change: dict[str, Any], missing: str) -> None:
    (whole,), _ = propose(asked())
    (made,), _ = propose(asked(**change))
    texts = {"THE DATASET", "THE PROGRAM"}
    assert {text for text in texts if text in whole.messages[1].content} == texts
    assert {text for text in texts if text in made.messages[1].content} == texts - {missing}


@pytest.mark.parametrize("tip", TIPS)
def test_the_plan_says_which_tip_steers(tip: str) -> None:
    (made,), _ = propose(asked(tip=tip))
    shown = [name for name, text in TIPS.items() if text and text in made.messages[1].content]
    assert shown == [tip] * (tip != "none")


def test_the_plan_says_which_examples_are_drawn_from(runs: Sequence[CaseRun]) -> None:
    def kinds(kind: str, given: Sequence[CaseRun]) -> set[bool]:
        (made,), _ = propose(asked(given, examples=kind))
        text = made.messages[1].content
        return {"score 1.00" in line for line in text.split("\n") if line.startswith("### Exam")}

    assert kinds("mixed", runs) == {True, False}
    assert kinds("failing", runs) == {False}
    assert kinds("passing", runs) == {True}
    passing = [run for run in runs if run.outcome.score == 1.0]
    assert kinds("failing", passing) == {True}  # better those than none


def test_equal_requests_ask_for_other_samples_and_other_ones_for_the_first() -> None:
    one, two = asked(count=2, tip="none"), asked(count=2, tip="simple")
    made, client = propose([one[0], two[0], one[1], two[1]])
    assert [request.sample for request in client.requests] == [0, 0, 1, 1]
    assert len(client.digests) == 4
    assert [proposal.reply for proposal in made] == ["Do 0.", "Do 0.", "Do 1.", "Do 1."]


def test_a_user_s_higher_limit_holds_for_proposals_and_summaries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(current_settings(), max_output_tokens=9_000)
    where = "pytest_mipro.optimizer.proposing.proposer_models.current_settings"
    monkeypatch.setattr(where, lambda: settings)
    _, client = propose(asked())
    proposer = ProposerModels(client, {}, make_settings())
    cases = make_study(make_rows(8, 0, 0)).cases
    loop.run(proposer.summarise(cases, (), SIGNATURES, PROPOSER, ["dataset"]))
    assert {request.parameters["max_tokens"] for request in client.requests} == {9_000}
    assert len(client.requests) == 2


# Strategies.


class Named:
    """A strategy that says its name, or has nothing to go by."""

    def __init__(self, name: str, *, asks: bool = True) -> None:
        self.name = name
        self._asks = asks

    def request(self, context: ProposalContext, rng: Random) -> ProposalRequest | None:
        text = f"{self.name} {context.instruction} {rng.random()}"
        return ProposalRequest((Message("user", text),)) if self._asks else None


@pytest.mark.parametrize(
    ("wanted", "asking", "asked_instead"),
    [("b", "abc", "b"), ("b", "ac", "c"), ("c", "ab", "a"), ("b", "a", "a"), ("a", "", None)],
)
def test_where_a_strategy_has_nothing_to_go_by_the_next_one_asks(
    wanted: str, asking: str, asked_instead: str | None
) -> None:
    strategies = [Named(name, asks=name in asking) for name in "abc"]
    made, client = propose(asked(strategy=wanted), strategies=strategies)
    if asked_instead is None:
        assert (made, client.requests) == ([], [])
        return
    assert made[0].plan == replace(PLAN, strategy=asked_instead)
    assert client.requests[0].messages[0].content.startswith(f"{asked_instead} Sort it. ")


class Raising(Named):
    """One that fails at its second request."""

    def request(self, context: ProposalContext, rng: Random) -> ProposalRequest | None:
        self._left = getattr(self, "_left", 1) - 1
        if self._left < 0:
            raise LookupError("no idea")
        return super().request(context, rng)


@pytest.mark.filterwarnings("error")
def test_what_a_strategy_raises_leaves_nothing_behind() -> None:
    with pytest.raises(LookupError, match="no idea"):
        propose(asked(count=3), strategies=[Raising("grounded")])
    gc.collect()  # a coroutine that nobody awaits warns here


def test_each_proposal_has_a_random_stream_of_its_own() -> None:
    def texts(wanted: Sequence[ProposalTask]) -> list[str]:
        made, _ = propose(wanted, strategies=[Named("grounded")])
        return [proposal.messages[0].content for proposal in made]

    several = asked(count=4)
    assert len(set(texts(several))) == 4
    assert texts(several[::-1]) == texts(several)[::-1]


# Grounding.


@pytest.mark.parametrize("wanted", [["dataset"], ["program"], ["dataset", "program"], []])
def test_the_summaries_that_are_wanted_take_a_call_each(
    runs: Sequence[CaseRun], wanted: list[str]
) -> None:
    client = WorldClient()
    cases = make_study(make_rows(99, 0, 0)).cases
    proposer = ProposerModels(client, {}, make_settings())
    made = loop.run(proposer.summarise(cases, runs, SIGNATURES, PROPOSER, wanted))
    assert list(made) == wanted
    assert all(text.startswith("A summary of") for text in made.values())
    assert len(client.requests) == len(set(made.values())) == len(wanted) <= GROUNDING_CALLS


@pytest.mark.parametrize(
    ("reply", "ended", "summary"),
    [
        ("<think>Hm.</think>\n\nColours.", "stop", "Colours."),
        ("<think>Hm, colours", "stop", ""),
        ("Colours, and more colours", "length", ""),
        ("", "stop", ""),
        ("ROWS", "stop", ""),
    ],
)
def test_a_summary_is_what_follows_the_thoughts_and_no_idle_talk(
    reply: str, ended: str, summary: str
) -> None:
    class Client(WorldClient):
        async def complete(self, request: Request) -> Reply:
            made = await super().complete(request)
            text = request.messages[1].content if reply == "ROWS" else made.text
            return replace(made, text=text, finish_reason=ended)

    client = Client(lambda _: reply)
    proposer = ProposerModels(client, {}, make_settings())
    cases = make_study(make_rows(8, 0, 0)).cases
    made = loop.run(proposer.summarise(cases, (), SIGNATURES, PROPOSER, ["dataset"]))
    assert made == {"dataset": summary}
    assert {request.parameters["max_tokens"] for request in client.requests} == {1_000}


def test_a_refused_grounding_does_not_end_the_study() -> None:
    def refusing(request: Request) -> str:
        if request.model == PROPOSER and not module_of(request):
            raise RefusalError("the content filter refused the request")
        return answer(request)

    played = play(client=WorldClient(refusing))
    assert played.result.prompts
    asked = [r for r in played.client.of(PROPOSER) if module_of(r)]
    assert not any("## Program" in request.messages[1].content for request in asked)


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
