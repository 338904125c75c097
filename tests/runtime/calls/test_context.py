"""The ambient state of calls: who is refused, and which functions stand on the stack."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from module_calls import MODEL

from pytest_mipro import lm_module
from pytest_mipro.errors import (
    CallLimitError,
    DetachedCallError,
    EndpointError,
    ModuleCallError,
    PromptFileError,
    RefusalError,
)
from pytest_mipro.runtime.calls.context import (
    CallContext,
    current_context,
    process_default,
    refuse_detached,
    use,
)
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Request, ScriptedClient
from pytest_mipro.runtime.settings import Settings, replace_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    before = replace_settings(Settings(model=MODEL))
    yield
    replace_settings(before)


@lm_module
def first(x: str) -> str:
    """Reply."""


@lm_module
async def later(x: str) -> str:
    """Reply."""


def echo(request: Request) -> str:
    return request.messages[-1].content.split("\n")[1]


def inner(x: str) -> str:
    return first(x)


def outer(x: str) -> str:
    return max([inner(x)], key=lambda text: len(text))  # noqa: PLW0108


class Pipeline:
    def run(self, x: str) -> str:
        return outer(x)


async def inner_later(x: str) -> str:
    return await later(x)


async def outer_later(x: str) -> str:
    return await inner_later(x)


async def both(x: str) -> list[str]:
    return await asyncio.gather(inner_later(x), outer_later(x))


def stacks(run: Callable[[], Any]) -> list[list[str]]:
    trace = Trace()
    with use(CallContext(ScriptedClient(echo), trace=trace)):
        run()
    mine = {"inner", "outer", "run", "inner_later", "outer_later", "both", "first", "later"}
    return [[c.co_name for c in call.stack if c.co_name in mine] for call in trace.calls]


def test_the_stack_of_sync_calls_runs_outermost_first() -> None:
    assert stacks(lambda: Pipeline().run("x")) == [["run", "outer", "inner"]]
    assert stacks(lambda: first("x")) == [[]]
    assert stacks(lambda: first.using(temperature=1)("x")) == [[]]


def test_the_stack_of_awaited_calls() -> None:
    assert stacks(lambda: asyncio.run(outer_later("x"))) == [["outer_later", "inner_later"]]


def test_the_stack_of_gathered_calls_is_each_task_s_own() -> None:
    assert stacks(lambda: asyncio.run(both("x"))) == [
        ["inner_later"],
        ["outer_later", "inner_later"],
    ]


def test_the_stack_of_threads_is_their_own() -> None:
    def threaded() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(copy_context().run, outer, "x").result()

    assert stacks(threaded) == [["outer", "inner"]]


def test_the_stack_holds_the_project_s_code_alone() -> None:
    trace = Trace()
    with use(CallContext(ScriptedClient(echo), trace=trace)):
        asyncio.run(both("x"))
        outer("x")
    files = {code.co_filename for call in trace.calls for code in call.stack}
    assert files == {__file__}
    assert trace.calls[-1].stack[-1] is inner.__code__


@pytest.mark.parametrize("keeps", [False, True])
def test_a_call_holds_its_request_and_reply_where_the_trace_keeps_them(keeps: bool) -> None:
    client, trace = ScriptedClient(echo), Trace(keeps=keeps)
    with use(CallContext(client, trace=trace)):
        said = outer("x")
    (call,) = trace.calls
    assert (call.sent, call.received and call.received.text) == (
        (client.requests[0], said) if keeps else (None, None)
    )


def test_without_a_trace_no_stack_is_taken() -> None:
    with use(CallContext(ScriptedClient(echo))) as context:
        assert outer("x") == "x"
        assert current_context("a.b") is context
    assert current_context("a.b") is None


def test_threads_without_the_context_are_refused() -> None:
    errors: list[Exception] = []

    def work() -> None:
        try:
            first("x")
        except DetachedCallError as error:
            errors.append(error)

    with use(CallContext(ScriptedClient(echo))), refuse_detached() as detached:
        assert first("x") == "x"
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with_context = threading.Thread(target=copy_context().run, args=(work,))
        with_context.start()
        with_context.join()
    assert len(errors) == 3
    assert set(detached.taken()) == set(errors)
    assert "copy_context().run" in str(errors[0])
    assert "'test_context.first'" in str(errors[0])


def test_refusal_ends_with_its_block_and_nests() -> None:
    with refuse_detached() as outer_list:
        with refuse_detached() as inner_list, pytest.raises(DetachedCallError):
            first("x")
        with pytest.raises(DetachedCallError):
            first.messages("x")
    assert (len(inner_list.taken()), len(outer_list.taken())) == (1, 1)
    with process_default(CallContext(ScriptedClient(echo))):
        assert first("x") == "x"


def test_the_process_default_serves_calls_outside_any_case() -> None:
    default, case = ScriptedClient(echo), ScriptedClient(echo)
    with process_default(CallContext(default)):
        with use(CallContext(case)):
            first("in")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(first, "out").result() == "out"
    assert (len(case.requests), len(default.requests)) == (1, 1)


def test_contexts_of_tasks_do_not_mix() -> None:
    clients = [ScriptedClient(echo) for _ in range(5)]

    async def case(client: ScriptedClient, x: str) -> None:
        with use(CallContext(client)):
            for _ in range(3):
                await later(x)

    async def main() -> None:
        await asyncio.gather(*(case(client, str(i)) for i, client in enumerate(clients)))

    asyncio.run(main())
    assert [{echo(r) for r in client.requests} for client in clients] == [
        {str(i)} for i in range(5)
    ]


@pytest.mark.parametrize("kind", [EndpointError, PromptFileError, ModuleCallError])
def test_only_the_first_error_that_breaks_the_measurement_is_kept(kind: type[Exception]) -> None:
    trace = Trace()
    trace.remember(RefusalError("the candidate's"))
    trace.remember(ValueError("the pipeline's"))
    assert trace.broken is None
    one, two = kind("one"), EndpointError("two")
    trace.remember(one)
    trace.remember(two)
    assert trace.broken is one


def test_the_limit_counts_exactly_from_many_threads() -> None:
    trace = Trace(max_calls=100)

    def count(_: int) -> bool:
        try:
            trace.count_request()
        except CallLimitError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(count, range(400))) == 100
