"""Proposals: what is asked of the proposer models, and what becomes of their replies."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from optimizer_world import (
    make_rows,
    make_settings,
    make_study,
    note,
    play,
    sort,
)
from world_model import PROPOSER, WorldClient, answer, asks_again, module_of

from pytest_mipro.errors import ContextWindowError, EndpointError, RefusalError
from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.evaluate import Evaluator
from pytest_mipro.optimizer.proposing.proposal_context import module_examples
from pytest_mipro.optimizer.proposing.proposal_plan import TIPS, ProposalPlan
from pytest_mipro.optimizer.proposing.proposal_task import ProposalTask
from pytest_mipro.optimizer.proposing.proposer_models import (
    GROUNDING_CALLS,
    PROPOSAL_TOKENS,
    Proposal,
    ProposerModels,
    unusable,
)
from pytest_mipro.optimizer.proposing.strategies import BriefStrategy, GroundedStrategy
from pytest_mipro.optimizer.proposing.strategy import (
    Grounding,
    InstructionStrategy,
    ProposalContext,
    ProposalRequest,
    ScoredInstruction,
)
from pytest_mipro.optimizer.run.events import CandidatesReady
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request
from pytest_mipro.runtime.settings import current_settings

SIGNATURES = (note.signature, sort.signature)
GROUNDING = Grounding("THE DATASET", "THE PROGRAM")
PLAN = ProposalPlan("grounded", "none", True, True, "mixed", 1.0, PROPOSER)
HISTORY = (ScoredInstruction("Sort it.", 0.25), ScoredInstruction("Sort it so.", 0.125))


@pytest.fixture(scope="module")
def runs() -> Sequence[CaseRun]:
    study = make_study(make_rows(8, 0, 0))
    made = Evaluator(study, WorldClient(), Accounting(), concurrency=4)
    part = Ledger(Limits()).part("baseline", Amount(99), stage="search")
    assert part is not None
    try:
        return made.start({}, study.cases, part).result().runs
    finally:
        made.close()


def asked(runs: Sequence[CaseRun] = (), count: int = 1, **plan: Any) -> list[ProposalTask]:
    examples = module_examples(runs, sort.signature, {"test_colour": TestSpec("test_colour")})
    wanted = replace(PLAN, **plan)
    return [
        ProposalTask(sort.signature, "Sort it.", examples, HISTORY, wanted, f"0/{n}")
        for n in range(count)
    ]


def propose(
    wanted: Sequence[ProposalTask],
    reply: Callable[[Request], str] = lambda request: f"Do {request.sample}.",
    strategies: Sequence[InstructionStrategy] = (GroundedStrategy(),),
    **settings: Any,
) -> tuple[list[Proposal], WorldClient]:
    client = WorldClient(reply)
    named = {item.name: item for item in strategies}
    proposer = ProposerModels(client, named, make_settings(**settings))
    return loop.run(proposer.propose(wanted, GROUNDING)), client


# Asking.


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


# Replies.


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


def test_a_user_s_higher_limit_holds_for_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(current_settings(), max_output_tokens=9_000)
    where = "pytest_mipro.optimizer.proposing.proposer_models.current_settings"
    monkeypatch.setattr(where, lambda: settings)
    _, client = propose(asked())
    assert client.requests[0].parameters["max_tokens"] == 9_000


def test_an_error_of_the_world_is_told() -> None:
    def reply(request: Request) -> str:
        raise EndpointError("fake/proposer: 503 after 5 tries")

    with pytest.raises(EndpointError, match="fake/proposer: 503 after 5 tries"):
        propose(asked(), reply)


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
