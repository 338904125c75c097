"""The circuit breaker: when a model is given up, what takes it back, and what a run then costs."""

from __future__ import annotations

import asyncio

import pytest
from gate_project import TESTS, write_gate

from pytest_mipro.errors import (
    ContextWindowError,
    EndpointDownError,
    EndpointError,
    MiproError,
    MissingKeyError,
    RefusalError,
    UnknownModelError,
    UnreachableError,
)
from pytest_mipro.plugin.replies.circuit_breaker import BreakerClient
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request

DOWN = EndpointDownError("model 'm' failed 6 times, at last with 503: busy")
AWAY = UnreachableError("model 'm' failed 6 times, at last with no connection")
ANSWERS = [
    Reply("fine"),
    RefusalError("the filter refused the request"),
    ContextWindowError("the request is too long"),
    EndpointError("the endpoint refused the call (400)"),
]


class Endpoint:
    """A client that does what the next entry of a script says, and counts what it was asked."""

    def __init__(self, *script: Reply | MiproError) -> None:
        self._script = list(script)
        self.asked = 0

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        return outcome(self._script.pop(0))

    def endpoint(self, model: str) -> str:
        return f"digest of {model}"

    async def aclose(self) -> None:
        self.asked = -1


def outcome(entry: Reply | MiproError) -> Reply:
    if isinstance(entry, MiproError):
        raise entry
    return entry


def ask(client: BreakerClient, model: str = "m") -> Reply | MiproError:
    try:
        return loop.run(client.complete(Request(model, (Message("user", "hi"),))))
    except MiproError as error:
        return error


def asked_after(*script: Reply | MiproError) -> int:
    """Return how many of the script's requests and one more reach the endpoint."""
    endpoint = Endpoint(*script, Reply("one more"))
    client = BreakerClient(endpoint)
    for _ in range(len(script) + 1):
        ask(client)
    return endpoint.asked


@pytest.mark.parametrize(
    "error", [DOWN, MissingKeyError("401: bad key"), UnknownModelError("404: no such model")]
)
def test_three_failures_in_a_row_give_a_model_up(error: MiproError) -> None:
    assert asked_after(error, error) == 3
    assert asked_after(error, error, error) == 3
    assert asked_after(error, error, error, error) == 3


def test_no_connection_at_first_gives_a_model_up_at_once() -> None:
    assert asked_after(AWAY) == 1


def test_no_connection_once_the_model_has_answered_is_one_of_three() -> None:
    assert asked_after(Reply("fine"), AWAY, AWAY) == 4
    assert asked_after(Reply("fine"), AWAY, AWAY, AWAY) == 4


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_an_answer_between_begins_the_count_anew(answer: Reply | MiproError) -> None:
    assert asked_after(DOWN, DOWN, answer, DOWN, DOWN) == 6


def test_refusals_alone_give_nothing_up() -> None:
    assert asked_after(*ANSWERS[1:], *ANSWERS[1:]) == 7


def test_later_requests_are_said_not_to_be_tried_and_why() -> None:
    client = BreakerClient(Endpoint(AWAY))
    with use(CallContext(client, case="t4")):
        ask(client)
    second, third = ask(client), ask(client)
    assert type(second) is type(third) is UnreachableError
    assert second is not third
    why = f"not tried: model 'm' was given up after case t4: {AWAY}"
    assert str(second) == str(third) == why


def test_an_error_of_a_users_own_class_can_be_told_again() -> None:
    class ThrottledError(EndpointDownError):
        def __init__(self, status: int, region: str) -> None:
            super().__init__(f"{status} in {region}")

    client = BreakerClient(Endpoint(*[ThrottledError(429, "eu") for _ in range(3)]))
    last = [ask(client) for _ in range(5)][-1]
    assert type(last) is EndpointDownError
    assert str(last).endswith(": 429 in eu")


def test_another_model_is_still_asked() -> None:
    endpoint = Endpoint(AWAY, Reply("fine"))
    client = BreakerClient(endpoint)
    ask(client, "m")
    assert ask(client, "n") == Reply("fine")


def test_it_passes_on_what_else_the_contract_has() -> None:
    endpoint = Endpoint()
    client = BreakerClient(endpoint)
    assert client.endpoint("m") == "digest of m"
    loop.run(client.aclose())
    assert endpoint.asked == -1


class Held(Endpoint):
    """An endpoint whose requests end in the order that a test lets them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.answers: list[asyncio.Future[Reply]] = []
        self._count = count

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        future = asyncio.get_running_loop().create_future()
        self.answers.append(future)
        return await future


async def ended(held: Held, *order: Reply | MiproError) -> BreakerClient:
    """Send all requests at once, end them one after the other in the order given."""
    client = BreakerClient(held)
    request = Request("m", (Message("user", "hi"),))
    tasks = [asyncio.create_task(client.complete(request)) for _ in order]
    await asyncio.sleep(0)
    for future, entry in zip(held.answers, order, strict=True):
        if isinstance(entry, MiproError):
            future.set_exception(entry)
        else:
            future.set_result(entry)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    return client


@pytest.mark.parametrize(
    ("order", "given_up"),
    [
        ((DOWN, DOWN, DOWN), True),
        ((DOWN, Reply("a"), DOWN, DOWN, Reply("b"), DOWN), False),
        ((Reply("a"), DOWN, DOWN, DOWN), True),
        ((DOWN, DOWN, DOWN, Reply("late")), False),  # it was under way when the model was given up
        ((AWAY, Reply("late")), False),
        ((AWAY, DOWN), True),
    ],
)
def test_requests_under_way_together_count_in_the_order_they_end(
    order: tuple[Reply | MiproError, ...], given_up: bool
) -> None:
    async def next_one() -> bool:
        held = Held(len(order))
        client = await ended(held, *order)
        before = held.asked
        later = asyncio.create_task(client.complete(Request("m", (Message("user", "more"),))))
        await asyncio.sleep(0)
        refused = held.asked == before
        later.cancel()
        await asyncio.gather(later, return_exceptions=True)
        return refused

    assert loop.run(next_one()) is given_up


def test_a_cancelled_request_tells_nothing_of_the_model() -> None:
    async def cancelled() -> int:
        held = Held(4)
        client = BreakerClient(held)
        for number in range(4):
            task = asyncio.create_task(client.complete(Request("m", (), sample=number)))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return held.asked

    assert loop.run(cancelled()) == 4


CONFTEST = """
import pytest
from pytest_mipro.errors import UnreachableError

class Away:
    asked = 0

    async def complete(self, request):
        Away.asked += 1
        raise UnreachableError("no connection")

    def endpoint(self, model):
        return ""

    async def aclose(self):
        print(f"asked {self.asked} times")

def pytest_mipro_client(config):
    return Away()
"""


def test_a_gate_whose_endpoint_is_away_asks_it_once(pytester: pytest.Pytester) -> None:
    write_gate(pytester, TESTS)
    pytester.makeconftest(CONFTEST)
    result = pytester.runpytest("-s", "-p", "no:randomly")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*asked 1 times"])
    result.stdout.fnmatch_lines(["*INCOMPLETE: 6 cases had an error*"])
    result.stdout.fnmatch_lines(
        [
            "  one  error  no connection",
            "  five  error",
            "*not tried: model 'test/fake' was given up after case test_say[[]one]: *",
            "*not tried either (4): four, six, three, two",
        ]
    )
    text = result.stdout.str()
    assert "same error" not in text
    assert text.count("ERROR at call of") == 1
