"""Fakes and cassettes of other tools work in cases as outside: what they answer is not seen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
import respx
import vcr
from lm_stub import Stub
from own_case import case
from pytest_httpx import HTTPXMock

from pytest_mipro.runtime.client.contract import LMClient

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
FAKE = {"fake": True}


def ask(url: str) -> Any:
    return httpx.post(f"{url}/v1/chat/completions", json=BODY).json()


@pytest.mark.httpx_mock(should_mock=lambda request: request.url.host == "fake.example.com")
def test_pytest_httpx(httpx_mock: HTTPXMock, server: Stub, client: LMClient) -> None:
    httpx_mock.add_response(url="https://fake.example.com/v1/chat/completions", json=FAKE)
    with case(client) as trace:
        assert ask("https://fake.example.com") == FAKE
        assert trace.calls == ()
        assert "choices" in ask(server.url)  # what it lets through is seen
    assert (len(trace.calls), server.count) == (1, 1)


def test_respx_that_was_started_before_the_case(server: Stub, client: LMClient) -> None:
    with respx.mock(base_url="https://fake.example.com") as router:
        router.post("/v1/chat/completions").respond(json=FAKE)
        with case(client) as trace:
            assert ask("https://fake.example.com") == FAKE
    assert trace.calls == ()


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
def test_respx_within_the_case(using: str, server: Stub, client: LMClient) -> None:
    with case(client) as trace:
        with respx.mock(using=using) as router:
            router.post("https://fake.example.com/v1/chat/completions").respond(json=FAKE)
            router.route(host="127.0.0.1").pass_through()
            assert ask("https://fake.example.com") == FAKE
            assert trace.calls == ()
            assert "choices" in ask(server.url)
        assert "choices" in ask(server.url)
    assert (len(trace.calls), server.count) == (2, 1)
    assert httpcore.ConnectionPool.handle_request.__module__ == "httpcore._sync.connection_pool"


def test_a_cassette_of_vcr(server: Stub, client: LMClient, tmp_path: Path) -> None:
    cassette = str(tmp_path / "cassette.yaml")
    with case(client) as trace, vcr.use_cassette(cassette):
        first = ask(server.url)
    with case(client) as again, vcr.use_cassette(cassette, record_mode="none"):
        assert ask(server.url) == first
    assert (len(trace.calls), again.calls, server.count) == (1, (), 1)


def test_a_transport_of_the_test_s_own(client: LMClient) -> None:
    fake = httpx.MockTransport(lambda _: httpx.Response(200, json=FAKE))
    with case(client) as trace, httpx.Client(transport=fake) as made:
        answer = made.post("https://api.openai.com/v1/chat/completions", json=BODY)
    assert (answer.json(), trace.calls) == (FAKE, ())


def test_a_library_that_is_imported_within_a_case_is_seen(
    server: Stub, client: LMClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in sys.modules if each.split(".")[0] in ("httpcore", "httpx")]:
        monkeypatch.delitem(sys.modules, name)
    with case(client) as trace:
        import httpx as fresh  # noqa: PLC0415

        assert fresh.post is not httpx.post
        fresh.post(f"{server.url}/v1/chat/completions", json=BODY)
    assert len(trace.calls) == 1
    pool = sys.modules["httpcore"].ConnectionPool
    assert Path(pool.handle_request.__code__.co_filename).name == "connection_pool.py"


def test_cases_may_nest_and_the_outer_one_restores(client: LMClient) -> None:
    method = httpcore.ConnectionPool.handle_request
    with case(client):
        wrapper = httpcore.ConnectionPool.handle_request
        with case(client):
            assert httpcore.ConnectionPool.handle_request is wrapper
        assert httpcore.ConnectionPool.handle_request is wrapper
    assert httpcore.ConnectionPool.handle_request is method
