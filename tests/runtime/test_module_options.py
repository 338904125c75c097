"""Options of `@lm_module` and `using`."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from module_calls import MODEL

from pytest_mipro import LMModule, lm_module
from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Request, ScriptedClient

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("scripted_model")


@lm_module
def summarize(ticket: str, words: int = 3) -> str:
    """Summarise the ticket."""


def echo(request: Request) -> str:
    return request.messages[-1].content.split("\n")[1]


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
