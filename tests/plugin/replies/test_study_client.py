"""The client of one study: behind its block nobody asks, and nobody waits."""

import asyncio

import pytest

from pytest_mipro.errors import InfrastructureError, RefusalError
from pytest_mipro.plugin.replies.study_client import StudyClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Reply, Request, ScriptedClient

REQUEST = Request("test/fake", ())


class Endless(ScriptedClient):
    """Never answers, and notes what became of its calls."""

    def __init__(self) -> None:
        super().__init__([])
        self.begun = asyncio.Event()

    async def complete(self, request: Request) -> Reply:
        self.begun.set()
        await asyncio.sleep(600)
        raise AssertionError("not reached")


def test_within_the_block_calls_are_passed_on():
    inner = ScriptedClient(["yes"])
    with StudyClient(inner) as client:
        assert loop.run(client.complete(REQUEST)).text == "yes"
        assert client.endpoint("test/fake") == inner.endpoint("test/fake")
    assert inner.requests == [REQUEST]


def test_behind_the_block_calls_are_refused():
    inner = ScriptedClient(["no"])
    with StudyClient(inner) as client:
        pass
    with pytest.raises(InfrastructureError, match="the study has ended"):
        loop.run(client.complete(REQUEST))
    assert inner.requests == []


def test_an_error_of_the_world_answers_all_later_calls():
    inner = ScriptedClient([])
    with StudyClient(inner) as client:
        for _ in range(3):
            with pytest.raises(InfrastructureError, match="the script has 0 replies, call 1 came"):
                loop.run(client.complete(REQUEST))
    assert len(inner.requests) == 1


def test_an_error_of_the_candidate_ends_nothing():
    def refuse(request: Request) -> str:
        raise RefusalError("no")

    inner = ScriptedClient(refuse)
    with StudyClient(inner) as client:
        for _ in range(3):
            with pytest.raises(RefusalError):
                loop.run(client.complete(REQUEST))
    assert len(inner.requests) == 3


def test_who_waits_at_the_end_of_the_block_is_told():
    inner = Endless()
    with StudyClient(inner) as client:
        waiting = loop.submit(client.complete(REQUEST))
        loop.run(inner.begun.wait())
    with pytest.raises(InfrastructureError, match="the study has ended"):
        waiting.result(timeout=10)


def test_a_caller_that_gives_up_by_itself_is_cancelled():
    inner = Endless()
    with StudyClient(inner) as client:

        async def give_up() -> None:
            await asyncio.wait_for(client.complete(REQUEST), timeout=0.01)

        with pytest.raises(TimeoutError):
            loop.run(give_up())
