"""`@step` in a case: what the trace holds, and what is no step."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from pytest_mipro import lm_module, step
from pytest_mipro.errors import ModuleDefinitionError
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import ScriptedClient


@lm_module(model="m")
def answer(question: str) -> str:
    """Answer the question."""


@step
def look_up(query: str, top: int = 2, *more: str, **filters: Any) -> list[str]:
    return [f"{query}-{number}" for number in range(top)] + list(more) + sorted(filters)


@step
async def look_up_later(query: str) -> list[str]:
    await asyncio.sleep(0)
    return [query]


@step
def fail(query: str) -> None:
    raise LookupError(query)


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@step
def fail_mutely() -> None:
    raise MuteError


@step
def answer_all(question: str) -> str:
    return answer(question)


class Shop:
    @step
    def stock(self, item: str) -> date:
        return date(2026, 3, 31)


@pytest.fixture
def trace() -> Iterator[Trace]:
    trace = Trace()
    with use(CallContext(ScriptedClient(lambda _: "hi"), trace=trace)):
        yield trace


def only(trace: Trace) -> StepCall:
    (call,) = trace.entries
    assert isinstance(call, StepCall)
    return call


def test_inputs_output_and_time_are_traced(trace: Trace) -> None:
    assert look_up("a", 1, "x", lang="de") == ["a-0", "x", "lang"]
    call = only(trace)
    assert call.name == f"{__name__}.look_up"
    assert call.inputs == {"query": "a", "top": 1, "more": ["x"], "filters": {"lang": "de"}}
    assert call.output == ["a-0", "x", "lang"]
    assert call.seconds > 0
    assert (call.cached, call.error) == (False, "")
    assert call.code.co_name == "look_up"
    assert trace.calls == ()


def test_an_async_step_is_traced_and_stays_a_coroutine_function(trace: Trace) -> None:
    assert inspect.iscoroutinefunction(look_up_later)
    assert asyncio.run(look_up_later("a")) == ["a"]
    assert only(trace).output == ["a"]


def test_an_error_is_the_function_s_own_and_is_traced(trace: Trace) -> None:
    with pytest.raises(LookupError, match="needle"):
        fail("needle")
    assert only(trace).error == "LookupError: needle"


def test_an_error_without_a_text_stays_the_function_s_own(trace: Trace) -> None:
    with pytest.raises(MuteError):
        fail_mutely()
    assert only(trace).error == "MuteError: <MuteError without a text: its str() failed>"


def test_a_method_s_object_is_shown_by_its_type_and_a_date_as_text(trace: Trace) -> None:
    assert Shop().stock("chair") == date(2026, 3, 31)
    assert only(trace).inputs == {"self": "<Shop>", "item": "chair"}
    assert only(trace).output == "2026-03-31"


def test_what_an_object_holds_stays_out_of_the_trace(trace: Trace) -> None:
    @dataclass
    class Index:
        key: str

        @step
        def search(self, query: str) -> list[str]:
            return [query]

    assert Index("not to be shown").search("chair") == ["chair"]
    assert only(trace).inputs == {"self": "<Index>", "query": "chair"}


def test_the_wrapper_of_something_without_code_is_a_step_too(trace: Trace) -> None:
    @step
    @functools.wraps(functools.partial(str.upper))
    def shout(text: str) -> str:
        return text.upper()

    assert shout("a") == "A"
    assert only(trace).code.co_name == "shout"


def test_what_changes_later_is_traced_as_it_was(trace: Trace) -> None:
    found = look_up("a")
    found.clear()
    assert only(trace).output == ["a-0", "a-1"]


def test_steps_and_modules_stand_in_the_order_in_which_they_began(trace: Trace) -> None:
    def pipeline() -> str:
        look_up("a")
        return answer_all("b")

    pipeline()
    names = [
        each.name.rpartition(".")[2] if isinstance(each, StepCall) else each.signature.name
        for each in trace.entries
    ]
    assert names == ["look_up", "answer_all", "test_step.answer"]
    stack = [code.co_name for code in trace.calls[0].stack]
    assert stack[-2:] == ["pipeline", "answer_all"]  # the decorator between them ends no stack


def test_outside_of_cases_it_is_the_function() -> None:
    assert look_up("a") == ["a-0", "a-1"]
    with use(CallContext(ScriptedClient([]))):
        assert look_up("a") == ["a-0", "a-1"]


def test_wrong_arguments_are_python_s_error(trace: Trace) -> None:
    with pytest.raises(TypeError, match="query"):
        look_up()  # type: ignore[call-arg]
    assert trace.entries == ()


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (numbers, "is a generator; a step returns its output"),
        (functools.lru_cache(look_up), "not a function; put @step on a plain `def`"),
        (Shop, "Shop is a type, not a function"),
    ],
)
def test_what_is_no_step(function: Any, problem: str) -> None:
    with pytest.raises(ModuleDefinitionError, match="@step: ") as caught:
        step(function)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_has_no_key_is_not_kept() -> None:
    store = {"a": 1}

    def inner(query: str) -> int:
        return store[query]

    with pytest.raises(ModuleDefinitionError, match="uses store of the function around it"):
        step(cache=True)(inner)
    with pytest.raises(ModuleDefinitionError, match="directly above the `def`"):
        step(cache=True)(look_up)
    with pytest.raises(ModuleDefinitionError, match="must be True or False, not 'yes'"):
        step(cache="yes")  # type: ignore[call-overload]


def test_what_is_read_only_once_is_left_for_the_program(trace: Trace) -> None:
    @dataclass
    class Page:
        rows: Iterator[str]

    @step
    def upper(pages: list[Page]) -> Iterator[str]:
        return map(str.upper, pages[0].rows)

    assert list(upper([Page(iter(["a", "b"]))])) == ["A", "B"]
    assert only(trace).inputs == {"pages": "<list>"}
    assert only(trace).output == "<map>"
