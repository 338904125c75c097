"""Which calls are LM calls, and what of an address is a credential."""

from __future__ import annotations

import pytest

from pytest_mipro.runtime.own_calls.addresses import (
    Addresses,
    credentials_in,
    origin_of,
    target_of,
)

BODY = {"model": "m", "messages": []}


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/chat/completions",
        "https://api.openai.com/v1/completions",
        "https://api.openai.com/v1/responses",
        "https://api.openai.com/v1/embeddings",
        "https://api.anthropic.com/v1/messages?beta=true",
        "http://localhost:8000/v1/chat/completions/",
        "https://gateway.example.com/team/openai/v1/chat/completions",
        "https://api.mistral.ai/v1/chat/completions#stream",
    ],
)
def test_the_known_paths_are_lm_calls(url: str) -> None:
    assert Addresses().are_lm("POST", url, BODY)
    assert Addresses().may_be_lm("POST", url)
    assert not Addresses().are_lm("GET", url, BODY)
    assert not Addresses().are_lm("POST", url, {"text": "no model"})
    assert not Addresses().are_lm("POST", url, None)


@pytest.mark.parametrize(
    "url",
    [
        "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
        "https://x.openai.azure.com/openai/deployments/d/completions?api-version=1",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent",
        "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent?alt=sse",
    ],
)
def test_a_path_may_name_the_model(url: str) -> None:
    assert Addresses().are_lm("POST", url, {"contents": []})


@pytest.mark.parametrize(
    "url",
    [
        "https://discord.com/api/v10/channels/7/messages",
        "https://api.openai.com/v1/chat/completions/c-1/cancel",
        "https://example.com/v1/messages.json",
        "https://search.example.com/query",
    ],
)
def test_other_calls_are_none(url: str) -> None:
    assert not Addresses().are_lm("POST", url, BODY)


def test_patterns_add_and_take_out_and_the_last_decides() -> None:
    llm, openai = "https://LLM.example.com/v2/generate", "https://api.openai.com/v1/responses"
    own = Addresses(("llm.example.com/*", "!api.openai.com/*"))
    assert own.are_lm("POST", llm, None)
    assert not own.are_lm("POST", openai, BODY)
    assert Addresses((*own.patterns, "*/v1/responses")).are_lm("POST", openai, BODY)


def test_credentials_are_in_neither_part_of_an_address() -> None:
    url = "https://me:pw-of-mine@Host:8/v1/messages?b=2&api_key=sk-1&X-Amz-Signature=5&a=1#x"
    assert origin_of(url) == "https://host:8"
    assert target_of(url) == "/v1/messages?a=1&b=2"
    assert target_of("https://x/v1/messages?author=me&apikey=1&code=2") == "/v1/messages?author=me"
    assert (
        target_of("https://x/v1/messages?auth_code=1&lang_code=de") == "/v1/messages?lang_code=de"
    )
    found = credentials_in(url, {"authorization": "Bearer abc", "x-api-key": "d", "accept": "*/*"})
    assert set(found.values()) == {"pw-of-mine", "sk-1", "5", "abc", "d"}
