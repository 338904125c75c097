"""Calls of LM modules: replies, corrections, traces, copies, and every way to call them."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
import pydoc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest
from module_calls import MODEL, called
from pydantic import BaseModel, field_validator

from pytest_mipro import LMModule, configure, lm_module
from pytest_mipro.errors import (
    CallLimitError,
    ConfigurationError,
    EndpointError,
    JudgeReplyError,
    ModuleCallError,
    ModuleDefinitionError,
    OutputParseError,
    PromptFileError,
)
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Reply, Request, ScriptedClient, Usage
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.settings import Settings, replace_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    before = replace_settings(Settings(model=MODEL))
    yield
    replace_settings(before)


@lm_module
def summarize(ticket: str, words: int = 3) -> str:
    """Summarise the ticket."""


@lm_module(reasoning=True, max_tokens=50)
def choose(ticket: str) -> Literal["billing", "bug"]:
    """Choose the queue."""


@lm_module
async def summarize_later(ticket: str) -> str:
    """Summarise the ticket."""


class Odd(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def broken(cls, value: int) -> int:
        raise RuntimeError(f"a bug at {value}")


@lm_module
def odd(ticket: str) -> Odd:
    """Reply."""


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


def test_the_world_s_error_is_remembered_though_swallowed() -> None:
    trace = Trace()
    with use(CallContext(ScriptedClient(["fine"]), trace=trace)):
        summarize("t")
        for _ in range(2):
            with pytest.raises(EndpointError):
                summarize("t")
    assert trace.broken is not None
    assert "call 2 came" in str(trace.broken)
    assert [bool(call.error) for call in trace.calls] == [False, True, True]
    assert (trace.calls[1].requests, trace.calls[1].cached) == (0, False)


def test_a_client_that_breaks_its_contract_is_the_world_s_error() -> None:
    def script(request: Request) -> str:
        raise ZeroDivisionError("a bug\nof the client")

    trace = Trace()
    with use(CallContext(ScriptedClient(script), trace=trace)), pytest.raises(EndpointError) as got:
        summarize("t")
    assert "ScriptedClient broke its contract: ZeroDivisionError: a bug of" in str(got.value)
    assert trace.broken is got.value


def test_a_user_s_own_error_passes_and_is_traced() -> None:
    trace = Trace()
    context = CallContext(ScriptedClient(['{"n": 7}']), trace=trace)
    with use(context), pytest.raises(RuntimeError, match="a bug at 7"):
        odd("t")
    assert (trace.calls[0].error, trace.broken) == ("a bug at 7", None)


@lm_module(prompt="prompts/nowhere.yaml")
def homeless(ticket: str) -> str:
    """Reply."""


@lm_module(prompt="prompts/nowhere.yaml")
async def homeless_later(ticket: str) -> str:
    """Reply."""


UNMADE: dict[str, tuple[Callable[[], object], type[Exception]]] = {
    "prompt file": (lambda: homeless("t"), PromptFileError),
    "awaited": (lambda: asyncio.run(homeless_later("t")), PromptFileError),  # type: ignore[arg-type]
    "messages": (lambda: homeless.messages("t"), PromptFileError),
    "prompt": (lambda: homeless.prompt, PromptFileError),
    "arguments": (lambda: summarize(colour="red"), ModuleCallError),  # type: ignore[call-arg]
    "arguments of messages": (summarize.messages, ModuleCallError),
    "no model": (lambda: summarize("t"), ConfigurationError),
}


@pytest.mark.parametrize("name", UNMADE)
def test_what_keeps_a_call_from_being_made_is_remembered_though_swallowed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, kind = UNMADE[name]
    if name == "no model":
        monkeypatch.delenv("MIPRO_MODEL", raising=False)
        replace_settings(Settings())
    trace = Trace()
    with use(CallContext(ScriptedClient(echo), trace=trace)), pytest.raises(kind) as raised:
        call()
    assert trace.broken is raised.value
    assert trace.calls == ()
    with use(CallContext(ScriptedClient(echo))), pytest.raises(kind):  # where nothing is traced
        call()


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


# -- every way to call ------------------------------------------------------------------------


def test_fifty_threads_share_the_loop_and_keep_order_apart() -> None:
    trace = Trace()
    client = ScriptedClient(echo)
    with use(CallContext(client, trace=trace)), ThreadPoolExecutor(50) as pool:
        futures = [pool.submit(copy_context().run, summarize, f"t{i}") for i in range(200)]
        assert [future.result() for future in futures] == [f"t{i}" for i in range(200)]
    assert len(trace.calls) == len(client.requests) == 200


class Slow:
    """Answers the calls in the reverse of their order."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.open = 0

    async def complete(self, request: Request) -> Reply:
        self.open += 1
        while self.open < self.calls:  # all of them are under way
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02 * (self.calls - int(echo(request))))
        return Reply(echo(request))

    def endpoint(self, model: str) -> str:
        return ""

    async def aclose(self) -> None: ...


def test_gathered_calls_run_together_and_are_traced_as_they_began() -> None:
    trace = Trace()

    async def gathered() -> list[str]:
        return await asyncio.gather(*(summarize_later(str(i)) for i in range(4)))

    with use(CallContext(Slow(4), trace=trace)):
        assert asyncio.run(gathered()) == ["0", "1", "2", "3"]
    assert [call.inputs["ticket"] for call in trace.calls] == ["0", "1", "2", "3"]


def test_async_modules_serve_several_event_loops() -> None:
    configure(client=ScriptedClient(echo))

    async def one(i: int) -> str:
        return await summarize_later(str(i))

    assert [asyncio.run(one(i)) for i in range(3)] == ["0", "1", "2"]
    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(lambda i: asyncio.run(one(i)), range(16))
        assert list(runs) == [str(i) for i in range(16)]


def test_a_sync_module_works_inside_a_running_event_loop() -> None:
    configure(client=ScriptedClient(echo))

    async def main() -> str:
        return summarize("inside")

    assert asyncio.run(main()) == "inside"


def test_a_cancelled_call_cancels_its_request() -> None:
    cancelled = threading.Event()

    class Endless(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()
            return Reply("")

    async def main() -> None:
        async with asyncio.timeout(0.05):
            await summarize_later("t")

    trace = Trace()
    with use(CallContext(Endless([]), trace=trace)), pytest.raises(TimeoutError):
        asyncio.run(main())
    assert cancelled.wait(2)
    assert trace.calls == ()


def test_a_client_may_await_a_module_and_never_block_on_one() -> None:
    class Teacher(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            ticket = echo(request)
            with use(CallContext(ScriptedClient(echo))):
                if ticket == "sync":
                    return Reply(summarize("inner"))
                return Reply(await summarize_later("inner"))

    with use(CallContext(Teacher([]))):
        assert summarize("async") == "inner"
        with pytest.raises(ModuleCallError, match="use an `async def` module there"):
            summarize("sync")


# -- as a function ----------------------------------------------------------------------------


def test_it_looks_like_its_function() -> None:
    assert str(inspect.signature(summarize)) == "(ticket: 'str', words: 'int' = 3) -> 'str'"
    assert summarize.__name__ == summarize.__qualname__ == "summarize"  # type: ignore[attr-defined]
    assert summarize.__module__ == __name__
    assert inspect.getsource(summarize).startswith("@lm_module\ndef summarize")
    assert "Summarise the ticket." in pydoc.render_doc(summarize, renderer=pydoc.plaintext)
    assert repr(summarize) == "<LM module test_module.summarize>"
    assert callable(summarize)


def test_async_modules_are_known_as_coroutine_functions() -> None:
    assert asyncio.iscoroutinefunction(summarize_later)
    assert asyncio.iscoroutinefunction(summarize_later.using(model="m"))
    assert not asyncio.iscoroutinefunction(summarize)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_module_itself(copied: Callable[[Any], Any]) -> None:
    assert copied(summarize) is summarize
    assert copied({"m": [summarize]})["m"][0] is summarize
    assert copied(summarize.using(model="x")).signature is summarize.signature


def test_variants_are_copied_with_what_they_override() -> None:
    variant = copy.deepcopy(choose.using(model="other", temperature=0.5))
    client = ScriptedClient(["r\n---\nbug"])
    with use(CallContext(client)):
        variant("t")
    assert client.requests[0].model == "other"
    assert client.requests[0].parameters == {"temperature": 0.5, "max_tokens": 50}


def test_pickling_goes_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, inspect.getmodule(test_it_looks_like_its_function))
    assert pickle.loads(pickle.dumps(summarize)) is summarize
    variant = pickle.loads(pickle.dumps(summarize.using(model="x").using(top_p=0.5)))
    assert variant.signature is summarize.signature


def test_it_serves_as_partial_and_as_attribute() -> None:
    class Desk:
        summarise = summarize

        def __init__(self, step: Any = summarize) -> None:
            self.step = step

    with use(CallContext(ScriptedClient(echo))):
        assert functools.partial(summarize, words=1)("a") == "a"
        assert Desk().summarise("b") == "b"
        assert Desk().step(ticket="c") == "c"
        assert list(map(summarize, ["d", "e"])) == ["d", "e"]


def test_using_leaves_the_module_as_it_is() -> None:
    variant = summarize.using(model="other", top_p=0.5)
    assert isinstance(variant, LMModule)
    both = variant.using(temperature=1)
    client = ScriptedClient(echo)
    with use(CallContext(client)):
        for module in (variant, both, summarize):
            module("t")
    sent = [(request.model, dict(request.parameters)) for request in client.requests]
    assert sent == [
        ("other", {"temperature": 0, "top_p": 0.5}),
        ("other", {"temperature": 1, "top_p": 0.5}),
        (MODEL, {"temperature": 0}),
    ]


UNKNOWN = (
    *("aws_secret_access_key", "azure_ad_token", "vertex_credentials", "client_secret"),
    *("default_headers", "extra_body", "api_Key", "user"),
)


def test_a_private_parameter_is_sent_and_kept_as_a_digest() -> None:
    body = {"extra_body": {"key": "sk-secret"}}
    client, trace = ScriptedClient(echo), Trace()
    variant = summarize.using(private_parameters=body)
    again = pickle.loads(pickle.dumps(variant))
    with use(CallContext(client, trace=trace)):
        for module in (variant, again, summarize.using(private_parameters={"extra_body": {}})):
            module("t")
    first, second, other = client.requests
    assert first.private == body
    assert first.parameters["extra_body"].startswith("private:")
    assert first.digest() == second.digest() != other.digest()
    assert trace.calls[0].parameters == first.parameters
    kept = [first.canonical_json(), repr(first), repr(trace.calls), repr(vars(variant))]
    assert not [text for text in kept if "sk-secret" in text]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": ""}, "the model must be a name"),
        ({"model": 7}, "the model must be a name"),
        ({"temperature": "hot"}, "temperature must be a number from 0 up, not 'hot'"),
        ({"temperature": -1}, "temperature must be a number"),
        ({"temperature": True}, "temperature must be a number"),
        ({"temperature": float("nan")}, "temperature must be a number"),
        ({"temprature": 1}, "unknown parameter 'temprature'; did you mean 'temperature'?"),
        ({"max_token": 1}, "did you mean 'max_tokens'?"),
        ({"stream": True}, "stream can't be set here: a module call is one request"),
        ({"n": 2}, "n can't be set here"),
        ({"tools": []}, "with one text reply; a pipeline with tools keeps its own client, with a"),
        ({"tool_choice": "auto"}, "tool_choice can't be set here: a module call is one request"),
        ({"api_key": "sk-secret"}, "api_key can't be set here: keys and endpoints come from"),
        ({"extra_headers": {}}, "extra_headers can't be set here"),
        ({"response_format": {}}, "the output annotation decides"),
        ({"timeout": 3}, "the client sets it"),
        ({"stop": object()}, "has no JSON form"),
        ({"stop": {"a"}}, "has no JSON form"),
        ({"top_p": float("inf")}, "has no JSON form"),
        *(({name: "sk-secret"}, f"set private_parameters={{{name!r}: …}}") for name in UNKNOWN),
        ({"private_parameters": ["sk-secret"]}, "private_parameters must map names to values"),
        ({"private_parameters": {"key": {"sk-secret"}}}, "private_parameters: key has no JSON"),
        ({"private_parameters": {"api_key": "sk-secret"}}, "api_key can't be set here"),
        ({"private_parameters": {"top_p": 1}}, "top_p can't be private; set it as top_p=…"),
        ({"private_parameters": {7: "sk-secret"}}, "the name of a parameter is a text"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ModuleDefinitionError) as at_definition:
        lm_module(**options)
    with pytest.raises(ModuleCallError) as at_use:
        summarize.using(**options)
    for caught in (at_definition, at_use):
        assert text in str(caught.value)
        assert "sk-secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"reasoning": "yes"}, "reasoning must be True or False, not 'yes'"),
        ({"optimize": 0}, "optimize must be True or False, not 0"),
        ({"prompt": ""}, "prompt must be a path"),
        ({"prompt": "prompts/a.toml"}, "prompt must be a path"),
        ({"optimise": False}, "did you mean 'optimize'?"),
    ],
)
def test_wrong_decorator_options_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ModuleDefinitionError) as caught:
        lm_module(**options)
    assert text in str(caught.value)


@pytest.mark.parametrize("option", ["reasoning", "prompt", "optimize"])
def test_using_changes_no_option_of_the_decorator(option: str) -> None:
    with pytest.raises(ModuleCallError, match=f"{option} is an option of @lm_module; set it there"):
        summarize.using(**{option: True})


def test_options_reach_the_signature() -> None:
    @lm_module(prompt="prompts/x.yaml", optimize=False, reasoning=True)
    def frozen(x: str) -> str:
        """Reply."""

    assert not frozen.signature.optimize
    assert frozen.signature.reasoning
    assert summarize.signature.optimize
