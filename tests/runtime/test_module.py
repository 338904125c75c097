"""Calls of LM modules: replies, corrections, traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest
from module_calls import MODEL, called

from pytest_mipro import configure, lm_module
from pytest_mipro.errors import (
    CallLimitError,
    ConfigurationError,
    JudgeReplyError,
    ModuleCallError,
    OutputParseError,
)
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Reply, Request, ScriptedClient, Usage
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.settings import Settings, replace_settings

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("scripted_model")


@lm_module
def summarize(ticket: str, words: int = 3) -> str:
    """Summarise the ticket."""


@lm_module(reasoning=True, max_tokens=50)
def choose(ticket: str) -> Literal["billing", "bug"]:
    """Choose the queue."""


@lm_module
async def summarize_later(ticket: str) -> str:
    """Summarise the ticket."""


def echo(request: Request) -> str:
    return request.messages[-1].content.split("\n")[1]


def test_a_call_returns_the_parsed_reply_and_is_traced() -> None:
    call = called(choose, ["It crashed.\n---\nBug."], {"ticket": "crash"}, sample=2)
    assert call.value == "bug"
    (request,) = call.requests
    assert (request.model, request.sample) == (MODEL, 2)
    assert request.parameters == {"temperature": 0, "max_tokens": 50}
    (record,) = call.trace.calls
    assert (record.inputs, record.output) == ({"ticket": "crash"}, "bug")
    assert (record.reasoning, record.text) == ("It crashed.", "It crashed.\n---\nBug.")
    assert (record.model, record.requests, record.error) == (MODEL, 1, "")
    assert record.signature is choose.signature
    assert not record.cached


def test_a_wrong_reply_is_corrected_once() -> None:
    call = called(choose, ["spam", "r\n---\nbug"], {"ticket": "t"})
    assert call.value == "bug"
    first, second = (request.messages for request in call.requests)
    assert second[: len(first)] == first
    assert [message.role for message in second[len(first) :]] == ["assistant", "user"]
    assert second[-2].content == "spam"
    assert "'spam' is none of: billing, bug" in second[-1].content
    (record,) = call.trace.calls
    assert record.requests == 2
    assert record.text == "r\n---\nbug"
    words = [sum(len(m.content.split()) for m in request.messages) for request in call.requests]
    assert record.usage == Usage(sum(words), 4)


def test_two_wrong_replies_are_an_error_that_is_traced() -> None:
    trace = Trace()
    client = ScriptedClient(["spam", "r\n---\nham"])
    with use(CallContext(client, trace=trace)), pytest.raises(OutputParseError) as caught:
        choose(ticket="t")
    message = str(caught.value)
    assert message == (
        "LM module 'test_module.choose': the reply can't be used, also after one correction: "
        "'ham' is none of: billing, bug"
    )
    (record,) = trace.calls
    assert (record.output, record.error, record.requests) == (None, message, 2)
    assert record.text == "r\n---\nham"
    assert trace.broken is None


@lm_module(optimize=False)
def judge(text: str) -> bool:
    """Is it polite?"""


def answer(ticket: str) -> bool:
    """Return what a frozen module of the pipeline makes of the queue."""
    return judge(text=choose(ticket=ticket))


def test_a_judge_that_can_t_be_read_is_no_fault_of_the_pipeline() -> None:
    trace = Trace()
    client = ScriptedClient(["---\nbug", "maybe", "perhaps"])
    with use(CallContext(client, trace=trace)):
        queue = choose(ticket="t")
        with pytest.raises(JudgeReplyError, match="'perhaps' is not `true` or `false`; the case"):
            judge(text=queue)
    assert isinstance(trace.broken, JudgeReplyError)
    trace = Trace()
    client = ScriptedClient(["---\nbug", "maybe", "perhaps"])
    with use(CallContext(client, trace=trace)), pytest.raises(OutputParseError):
        answer("t")
    assert trace.broken is None


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_a_cut_reply_is_traced_as_cut(reason: str) -> None:
    trace = Trace()
    with use(CallContext(Canned([Reply("---\nbug", finish_reason=reason)]), trace=trace)):
        assert choose(ticket="t") == "bug"
    assert [call.cut for call in trace.calls] == [reason == "length"]


@dataclass
class Canned:
    """A client with replies made by hand."""

    replies: list[Reply]

    async def complete(self, request: Request) -> Reply:
        return self.replies.pop(0)

    def endpoint(self, model: str) -> str:
        return ""

    async def aclose(self) -> None: ...


def test_usage_cost_latency_and_cache_add_up() -> None:
    def traced(*replies: Reply) -> Any:
        trace = Trace()
        with use(CallContext(Canned(list(replies)), trace=trace)):
            choose("t")
        return trace.calls[0]

    wrong = Reply("x", Usage(1, 2), cost=0.25, latency=1.5, cached=True)
    right = Reply("r\n---\nbug", Usage(3, 4), cost=0.5, latency=0.5, cached=True)
    record = traced(wrong, right)
    assert (record.usage, record.cost, record.latency) == (Usage(4, 6), 0.75, 2.0)
    assert record.cached
    assert not traced(wrong, Reply("r\n---\nbug", cost=0.5)).cached
    assert traced(wrong, Reply("r\n---\nbug", cost=None, cached=True)).cost is None


def test_a_cut_reply_is_said_to_be_cut() -> None:
    cut = Reply("spam", finish_reason="length")
    with use(CallContext(Canned([cut, cut]))), pytest.raises(OutputParseError, match="was cut"):
        choose("t")


def test_calls_beyond_the_limit_are_refused_corrections_included() -> None:
    trace = Trace(max_calls=2)
    client = ScriptedClient(lambda request: "spam")
    with use(CallContext(client, trace=trace)):
        summarize("t")
        with pytest.raises(CallLimitError, match="more than 2 LM calls"):
            choose("t")
        with pytest.raises(CallLimitError):
            summarize("t")
    assert len(client.requests) == 2


def test_output_limits_come_from_the_settings_unless_the_module_has_its_own() -> None:
    configure(max_output_tokens=9)
    limits = [
        called(module, ["r\n---\nbug"], {"ticket": "t"}).requests[0].parameters["max_tokens"]
        for module in (summarize, choose)
    ]
    assert limits == [9, 50]


def test_prompts_of_the_context_override_the_committed_ones() -> None:
    prompts = {summarize.signature.prompt_path: Prompt("A candidate.")}
    call = called(summarize, ["x"], {"ticket": "t"}, prompts=prompts)
    assert call.requests[0].messages[0].content == "A candidate."
    with use(CallContext(ScriptedClient([]), prompts=prompts)):
        assert summarize.prompt == Prompt("A candidate.")
        assert summarize.messages("t")[0]["content"] == "A candidate."
    assert summarize.prompt == Prompt("Summarise the ticket.")


def test_messages_and_parse_serve_calls_of_one_s_own() -> None:
    client = ScriptedClient(echo)
    with use(CallContext(client)):
        summarize("t", words=5)
    sent = [{"role": m.role, "content": m.content} for m in client.requests[0].messages]
    assert summarize.messages("t", words=5) == sent
    assert summarize.request("t", words=5) == client.requests[0]
    assert choose.parse("because\n---\nbug") == "bug"
    with pytest.raises(OutputParseError, match=r"LM module 'test_module\.choose': 'spam' is none"):
        choose.parse("because\n---\nspam")
    with pytest.raises(ModuleCallError, match="missing a required argument: 'ticket'"):
        summarize.messages()  # type: ignore[call-arg]


def test_wrong_arguments_are_refused_before_any_call() -> None:
    client = ScriptedClient(echo)
    with use(CallContext(client)):
        for wrong in ({}, {"ticket": "t", "colour": "red"}, {"ticket": object()}):
            with pytest.raises(ModuleCallError):
                summarize(**wrong)
            with pytest.raises(ModuleCallError):
                summarize_later(**wrong)
    assert client.requests == []


def test_outside_a_case_the_configured_client_serves() -> None:
    configure(client=ScriptedClient(echo))
    assert summarize("hello") == "hello"
    replace_settings(Settings())
    with pytest.raises(ConfigurationError, match="has no model; set MIPRO_MODEL"):
        summarize("hello")
