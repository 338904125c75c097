"""LM modules as the functions that they are: in threads and loops, copied, pickled."""

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
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

import pytest

from pytest_mipro import configure, lm_module
from pytest_mipro.errors import ModuleCallError
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Reply, Request, ScriptedClient
from pytest_mipro.runtime.module import LMModule

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_it_looks_like_its_function() -> None:
    assert str(inspect.signature(summarize)) == "(ticket: 'str', words: 'int' = 3) -> 'str'"
    assert summarize.__name__ == summarize.__qualname__ == "summarize"  # type: ignore[attr-defined]
    assert summarize.__module__ == __name__
    assert inspect.getsource(summarize).startswith("@lm_module\ndef summarize")
    assert "Summarise the ticket." in pydoc.render_doc(summarize, renderer=pydoc.plaintext)
    assert repr(summarize) == "<LM module test_module_as_function.summarize>"
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


def test_type_checkers_know_its_name() -> None:
    assert get_type_hints(LMModule)["__name__"] is str
