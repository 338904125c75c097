"""A call as a request, and an answer as a text and back."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest
from own_case import case

from pytest_mipro import Image
from pytest_mipro.runtime.client.contract import Message, OfflineClient, ScriptedClient
from pytest_mipro.runtime.own_calls.http_call import (
    HTTPAnswer,
    OwnRequest,
    answer_of_text,
    text_of_answer,
)

JSON = {"content-type": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, b'{"a": 1}'),
        ({"content-type": "text/event-stream"}, "data: Grüße\n\ndata: [DONE]\n\n".encode()),
        (JSON, b"\n\n: an answer: with lines\n\n"),
        ({}, b"no media type"),
        ({}, b""),
        ({"content-type": "application/octet-stream"}, b"\xff\xfe\x00"),
        ({**JSON, "content-encoding": "br"}, bytes(range(256))),
    ],
)
def test_an_answer_comes_back_byte_by_byte(headers: dict[str, str], body: bytes) -> None:
    answer = HTTPAnswer(200, headers, body)
    assert answer_of_text(text_of_answer(answer)) == answer


@pytest.mark.parametrize(("coding", "library"), [("br", "brotli"), ("zstd", "backports.zstd")])
def test_an_answer_is_read_as_the_client_s_library_would(
    monkeypatch: pytest.MonkeyPatch, coding: str, library: str
) -> None:
    answer = HTTPAnswer(200, {**JSON, "content-encoding": coding}, b"}{")
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, library, SimpleNamespace(decompress=lambda body: body[::-1]))
    assert answer.uncompressed() == HTTPAnswer(200, JSON, b"{}")
    monkeypatch.setitem(sys.modules, library, None)
    for other in ("brotlicffi", "zstandard"):
        monkeypatch.setitem(sys.modules, other, None)
    assert answer.uncompressed() == answer


def test_no_other_header_is_kept() -> None:
    text = text_of_answer(HTTPAnswer(200, {**JSON, "set-cookie": "session=1"}, b"{}"))
    assert text == "content-type: application/json; charset=utf-8\n\n{}"


ONE = OwnRequest(
    model="m",
    messages=(Message("user", "hi"),),
    target="/v1/chat/completions",
    address="a",
    body={"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True},
)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"target": "/v1/responses"},
        {"body": {"model": "m"}},
        {"body": "text"},
        {"sample": 1},
    ],
)
def test_method_target_body_and_sample_identify_a_call(changed: dict[str, object]) -> None:
    assert replace(ONE, **changed).digest() != ONE.digest()


def test_the_order_of_keys_and_what_is_read_from_the_body_do_not() -> None:
    body = dict(reversed(ONE.body.items()))
    assert replace(ONE, body=body, messages=(), private={"key": "sk-1"}).digest() == ONE.digest()


def test_bodies_that_are_no_text_are_told_apart() -> None:
    answers = ScriptedClient(lambda _: text_of_answer(HTTPAnswer(200, {}, b"")))
    with case(answers, 0, "stt.test/*"):
        for body in (b"\xff\x80", b"\xff\x81", b"\xff\x80"):
            httpx.post("http://stt.test/listen", content=body)
    one, other, again = (request.digest() for request in answers.requests)
    assert one == again != other


def test_the_body_bounds_the_tokens_and_an_image_has_a_bound_of_its_own() -> None:
    assert replace(ONE, size=100).prompt_bytes() == 100
    for url in ("https://x.org/a.png", "data:image/png;base64," + "iVBORw0K" * 10**5):
        message = Message.of("user", ["What?", Image(url)])
        asked = replace(ONE, messages=(message,), size=100 + len(url))
        assert 50_000 < asked.prompt_bytes() < 50_200


def test_the_cache_tells_origins_apart_and_recordings_do_not() -> None:
    other = replace(ONE, address="b")
    assert other.endpoint_at(OfflineClient()) == "b"
    assert other.digest() == ONE.digest()
