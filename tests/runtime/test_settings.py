"""Settings: which model a call goes to, and what `configure` refuses."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro import configure, lm_module
from pytest_mipro.errors import ConfigurationError
from pytest_mipro.runtime import settings as settings_file
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.client.contract import ScriptedClient
from pytest_mipro.runtime.settings import Settings, current_settings, replace_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("MIPRO_MODEL", raising=False)
    before = replace_settings(Settings())
    yield
    replace_settings(before)


def test_threads_that_configure_at_once_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first, changed = threading.Event(), threading.Event()

    def slowly(before: Settings, **changes: Any) -> Settings:
        if "model" in changes:
            first.set()
            changed.wait(0.2)  # the other thread changes meanwhile what was read here
        return replace(before, **changes)

    monkeypatch.setattr(settings_file, "replace", slowly)
    one = threading.Thread(target=configure, kwargs={"model": "m"})
    one.start()
    first.wait()
    configure(max_output_tokens=5)
    changed.set()
    one.join()
    assert (current_settings().model, current_settings().max_output_tokens) == ("m", 5)


@lm_module(model="decorator")
def decorated(x: str) -> str:
    """Reply."""


@lm_module
def bare(x: str) -> str:
    """Reply."""


def model_of(module: Any) -> str:
    client = ScriptedClient(["ok"])
    with use(CallContext(client)):
        module("x")
    return client.requests[0].model


def test_each_level_beats_the_ones_below(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"'test_settings\.bare' has no model; set MIPRO_"):
        model_of(bare)
    monkeypatch.setenv("MIPRO_MODEL", "environment")
    assert model_of(bare) == "environment"
    replace_settings(replace(current_settings(), fallback_model="run"))
    assert model_of(bare) == "run"
    configure(model="configured")
    assert model_of(bare) == "configured"
    assert model_of(decorated) == "decorator"
    configure(models={decorated: "mapped", "test_settings.bare": "named"})
    assert (model_of(decorated), model_of(bare)) == ("mapped", "named")
    assert model_of(decorated.using(model="call")) == "call"
    assert model_of(decorated.using(model="call").using(temperature=1)) == "call"
    assert model_of(decorated.using(temperature=1)) == "mapped"


def test_an_empty_environment_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIPRO_MODEL", "")
    with pytest.raises(ConfigurationError):
        model_of(bare)


def test_what_is_not_named_stays() -> None:
    client = ScriptedClient([])
    configure(model="a", client=client, max_output_tokens=5, require_prompts=True)
    configure(models={bare: "b"})
    assert current_settings() == Settings("a", {"test_settings.bare": "b"}, client, 5, True)
    configure(require_prompts=False, models={})
    assert current_settings() == Settings("a", {}, client, 5, False)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": ""}, "configure(model=…): the model must be a name such as"),
        ({"model": bare}, "the model must be a name"),
        ({"models": "gpt"}, "must map modules to model names"),
        ({"models": [bare]}, "must map modules"),
        ({"models": {bare: None}}, "configure(models=…): the model must be a name"),
        ({"models": {"bare": "m"}}, "'bare' is neither an LM module nor the name of one"),
        ({"models": {len: "m"}}, "is neither an LM module nor the name of one"),
        ({"client": object()}, "is not an LM client; it needs the methods `complete`"),
        ({"client": ScriptedClient}, "is not an LM client"),
        ({"max_output_tokens": 0}, "must be a whole number from 1 up, not 0"),
        ({"max_output_tokens": True}, "must be a whole number"),
        ({"max_output_tokens": 1.5}, "must be a whole number"),
        ({"require_prompts": "yes"}, "must be True or False, not 'yes'"),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configure(**({"require_prompts": True} | options))
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert current_settings() == Settings()
