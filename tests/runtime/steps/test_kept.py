"""`@step(cache=True)`: its result is made once, whoever asks, and is a JSON value."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro import lm_module, step
from pytest_mipro.errors import CallLimitError, DetachedCallError, MiproError, ModuleCallError
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.calls.context import CallContext, refuse_detached, use
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import LMClient, Reply, ScriptedClient
from pytest_mipro.runtime.steps.kept import StepClient, _Turns

made: list[Any] = []
db = sqlite3.connect(":memory:")  # may be used by its own thread alone


@lm_module(model="m")
def answer(question: str) -> str:
    """Answer the question."""


@step(cache=True)
def search(query: Any, top: int = 1) -> Any:
    made.append((query, threading.current_thread()))
    return {"found": [query] * top, "none": None, "share": 0.5, "ü": "\ud800"}


@step(cache=True)
async def search_later(query: str) -> list[str]:
    made.append((query, threading.current_thread()))
    await asyncio.sleep(0.001)
    return [query]


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@step(cache=True)
def as_told(kind: str) -> Any:
    values: dict[str, Any] = {"tuple": [(1,)], "set": {1}, "key": {1: 2}, "nan": {"a": [0.0, NAN]}}
    made.append(kind)
    if kind == "raise":
        raise LookupError("no such table")
    if kind == "mute":
        raise MuteError
    if kind == "skip":
        pytest.skip("no index here")
    return values[kind]


@step(cache=True)
def with_module(question: str) -> str:
    try:
        return answer(question)
    except MiproError:
        return "swallowed"


@step(cache=True)
def outer(query: str) -> Any:
    return search(query)


@step(cache=True)
def endless(query: str) -> Any:
    return endless(query)


@step(cache=True)
def select(number: int) -> int:
    return int(db.execute("select ?", (number,)).fetchone()[0])


NAN = float("nan")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LMClient]:
    made.clear()
    client = CachedClient(StepClient(ScriptedClient(lambda _: "hi")), tmp_path / "cache")
    yield client
    loop.run(client.aclose())


@contextmanager
def case(client: LMClient, sample: int = 0) -> Iterator[Trace]:
    trace = Trace()
    with refuse_detached(), use(CallContext(client, trace=trace, sample=sample)):
        yield trace


def test_a_result_is_made_once_and_comes_back_equal(client: LMClient) -> None:
    results = []
    for sample in (0, 0, 1):
        with case(client, sample) as trace:
            results.append(search("a", top=2))
        (call,) = trace.entries
        assert isinstance(call, StepCall)
        assert call.output == results[-1]
        assert call.cached == (len(results) > 1)
        assert call.seconds > 0
    assert len(made) == 1
    assert (
        results[0] == results[1] == {"found": ["a"] * 2, "none": None, "share": 0.5, "ü": "\ud800"}
    )


def test_it_runs_in_the_thread_of_its_caller(client: LMClient) -> None:
    with case(client):
        search("a")
        assert select(3) == 3
    assert made[0][1] is threading.current_thread()


def test_other_inputs_or_another_source_are_another_result(client: LMClient) -> None:
    with case(client):
        search("a")
        search("a", 1)  # the default
        search("a", top=2)
    assert len(made) == 2
    changed = step(cache=True)(_changed_search())
    with case(client):
        assert changed("a") == "changed"


def _changed_search() -> Any:
    def search(query: Any, top: int = 1) -> Any:
        return "changed"

    search.__module__, search.__qualname__ = __name__, "search"
    return search


def test_an_async_one_too_and_gather_shares_it(client: LMClient) -> None:
    async def both() -> list[list[str]]:
        return list(await asyncio.gather(search_later("a"), search_later("a"), search_later("b")))

    with case(client) as trace:
        assert asyncio.run(both()) == [["a"], ["a"], ["b"]]
        assert asyncio.run(both()) == [["a"], ["a"], ["b"]]
    assert sorted(query for query, _ in made) == ["a", "b"]
    assert {thread for _, thread in made} == {threading.current_thread()}
    assert len(trace.entries) == 6


def test_threads_share_it(client: LMClient) -> None:
    with case(client) as trace, ThreadPoolExecutor(4) as pool:
        contexts = [contextvars.copy_context() for _ in range(4)]
        futures = [pool.submit(each.run, search, "a") for each in contexts]
        assert len({str(future.result()) for future in futures}) == 1
    assert len(made) == 1
    assert len(trace.entries) == 4


def test_a_thread_without_the_case_s_context_is_refused(client: LMClient) -> None:
    with case(client), ThreadPoolExecutor(1) as pool:
        with pytest.raises(DetachedCallError, match=r"^the step '[\w.]+\.search' was called in"):
            pool.submit(search, "a").result()
        assert pool.submit(plain, "a").result() == "a"


@step
def plain(query: str) -> str:
    return query


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("tuple", "its result has a tuple at [0]"),
        ("set", "its result is a set"),
        ("key", "its result is a dict with the key 1"),
        ("nan", "its result has nan at ['a'][1]"),
    ],
)
def test_a_result_that_is_no_json_is_one_clear_error(
    client: LMClient, kind: str, problem: str
) -> None:
    with case(client) as trace, pytest.raises(ModuleCallError) as caught:
        as_told(kind)
    text = str(caught.value)
    assert text.startswith(f"the step '{__name__}.as_told' keeps JSON values alone (")
    assert problem in text
    assert text.endswith("; pass and return such values, or leave cache=True out")
    assert trace.broken is caught.value
    with case(client), pytest.raises(ModuleCallError):  # it is kept nowhere
        as_told(kind)


def test_so_are_inputs(client: LMClient) -> None:
    with case(client), pytest.raises(ModuleCallError, match=r"argument 'query' is a tuple"):
        search(("a",))
    loop_of_lists: list[Any] = []
    loop_of_lists.append(loop_of_lists)
    with case(client), pytest.raises(ModuleCallError, match="nested too deeply"):
        search(loop_of_lists)
    assert not made


def test_its_own_error_is_raised_as_it_is_and_kept_nowhere(client: LMClient) -> None:
    for _ in range(2):
        with case(client) as trace, pytest.raises(LookupError, match="no such table") as caught:
            as_told("raise")
        assert trace.broken is None
        assert trace.entries[0].error == "LookupError: no such table"
        assert caught.traceback[-1].name == "as_told"
    assert made == ["raise", "raise"]


def test_its_own_error_without_a_text_is_raised_as_it_is(client: LMClient) -> None:
    with case(client) as trace, pytest.raises(MuteError):
        as_told("mute")
    assert trace.entries[0].error == "MuteError: <MuteError without a text: its str() failed>"


def test_a_skip_passes(client: LMClient) -> None:
    with case(client), pytest.raises(pytest.skip.Exception, match="no index here"):
        as_told("skip")


def test_a_module_within_is_refused_though_the_step_swallows_it(client: LMClient) -> None:
    for _ in range(2):
        with case(client) as trace, pytest.raises(ModuleCallError) as caught:
            with_module("a")
        assert "would hide every change of the module's prompt" in str(caught.value)
        assert trace.broken is not None


def test_steps_may_nest_and_the_inner_one_is_in_no_trace(client: LMClient) -> None:
    for _ in range(2):
        with case(client) as trace:
            assert outer("a")["found"] == ["a"]
        assert len(trace.entries) == 1
    assert len(made) == 1


def test_one_that_waits_for_itself_is_refused(client: LMClient) -> None:
    with case(client), pytest.raises(ModuleCallError, match="calls itself with equal inputs"):
        endless("a")


def test_outside_of_a_run_nothing_is_kept() -> None:
    made.clear()
    assert search(("a",)) == search(("a",))
    assert len(made) == 2


def test_a_thread_that_was_interrupted_keeps_nobody_waiting() -> None:
    turns = _Turns()
    ran = turns.making(lambda: Reply("late"))

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def ask() -> Reply:
        made = asyncio.create_task(ran())
        pending.append(made)
        await asyncio.sleep(0)
        return await asyncio.shield(made)

    pending: list[asyncio.Task[Reply]] = []
    turns._queue.put(interrupt)
    with pytest.raises(KeyboardInterrupt):
        turns.run(ask())
    for late in (*pending, ran()):
        with pytest.raises(CancelledError):
            loop.run(asyncio.wait_for(late, 5))


def test_a_sync_one_on_a_running_loop(client: LMClient) -> None:
    async def ask() -> Any:
        return search("a")

    with case(client):
        assert asyncio.run(ask())["found"] == ["a"]


def test_no_budget_of_calls_counts_it(client: LMClient) -> None:
    trace = Trace(max_calls=1)
    with use(CallContext(client, trace=trace)):
        search("a")
        search("b")
        answer("c")
        with pytest.raises(CallLimitError):
            answer("d")
