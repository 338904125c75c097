"""Variants of prompts: which file a call reads, and how the variant is chosen."""

from __future__ import annotations

import contextvars
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest

import pytest_mipro
from pytest_mipro import LMModule, configure, lm_module, variant
from pytest_mipro.errors import (
    ConfigurationError,
    ModuleCallError,
    ModuleDefinitionError,
    PromptFileError,
)
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import ScriptedClient
from pytest_mipro.runtime.prompts.committed_prompts import forget_committed_prompts, with_variants
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt
from pytest_mipro.runtime.settings import Settings, replace_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    before = replace_settings(Settings(model="scripted/model"))
    yield
    replace_settings(before)
    forget_committed_prompts()


@pytest.fixture
def say(tmp_path: Path) -> LMModule[[str], str]:
    """A module with a plain prompt, and one for the variant `acme`."""
    for name in ("say", "say@acme"):
        (tmp_path / f"{name}.yaml").write_text(
            dump_prompt("test_variants.made", Prompt(f"This is {name}."))
        )

    @lm_module(prompt=str(tmp_path / "say.yaml"))
    def made(text: str) -> str: ...

    return made


@lm_module
def known(text: str) -> str:
    """Reply."""


def instruction(module: Any) -> str:
    client = ScriptedClient(["ok"])
    with use(CallContext(client)):
        module("x")
    return client.requests[0].messages[0].content


def test_the_innermost_choice_decides(say):
    assert instruction(say) == "This is say."
    configure(variant="acme")
    assert instruction(say) == "This is say@acme."
    with variant(None):
        assert instruction(say) == "This is say."
        with variant("acme"):
            assert instruction(say) == "This is say@acme."
            assert instruction(say.using(variant="")) == "This is say."
        assert instruction(say) == "This is say."
        assert instruction(say.using(variant="acme").using(temperature=1)) == "This is say@acme."
    configure(model="scripted/other")
    assert instruction(say) == "This is say@acme."
    configure(variant="")
    assert instruction(say) == "This is say."


def test_a_variant_without_a_file_has_the_plain_prompt(say):
    with variant("globex"):
        assert instruction(say) == "This is say."
        assert say.prompt == Prompt("This is say.")
        assert instruction(known) == "Reply."


def test_messages_and_prompt_are_those_of_the_variant(say):
    with variant("acme"):
        assert say.prompt == Prompt("This is say@acme.")
        assert say.messages("x")[0]["content"] == "This is say@acme."


def test_a_missing_plain_file_is_named_where_the_variant_is_missing_too(say, tmp_path):
    (tmp_path / "say.yaml").unlink()
    with variant("globex"), pytest.raises(PromptFileError, match=r"say\.yaml:1: .* is missing"):
        instruction(say)
    with variant("acme"):
        assert instruction(say) == "This is say@acme."


def test_a_variant_is_a_module_of_its_own_in_the_trace(say):
    trace = Trace()
    with use(CallContext(ScriptedClient(["ok", "ok", "ok"]), trace=trace)):
        say("x")
        for name in ("acme", "acme"):
            with variant(name):
                say("x")
    plain, first, second = (call.signature for call in trace.calls)
    assert plain is say.signature
    assert first is second
    assert first.label.endswith("@acme.yaml)")  # it is made in a function, and so named by its file
    assert first.plain is plain
    assert known.signature.of_variant("acme").label == "test_variants.known@acme"
    assert known.signature.of_variant("acme").of_variant("") is known.signature


def test_candidates_of_a_variant_leave_the_plain_prompt_alone(say):
    prompts = {say.signature.of_variant("acme").prompt_path: Prompt("A candidate.")}
    client = ScriptedClient(["ok", "ok"])
    with use(CallContext(client, prompts)):
        say("x")
        with variant("acme"):
            say("x")
    shown = [request.messages[0].content for request in client.requests]
    assert shown == ["This is say.", "A candidate."]


def test_a_row_never_sees_its_own_demo_in_a_fallback(say, tmp_path):
    demos = tuple(Demo(row, {"text": row}, "ok") for row in ("a", "b"))
    (tmp_path / "say.yaml").write_text(dump_prompt("test_variants.made", Prompt("Say.", demos)))
    client = ScriptedClient(["ok"])
    with use(CallContext(client, row="a")), variant("globex"):
        say("x")
    assert [message.content for message in client.requests[0].messages[1:3]] == [
        "<text>\nb\n</text>",
        "ok",
    ]


def test_a_thread_has_the_variant_of_its_context(say):
    seen = []

    def work() -> None:
        seen.append(instruction(say))

    with variant("acme"):
        inside = contextvars.copy_context()
    for target in (work, lambda: inside.run(work)):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert seen == ["This is say.", "This is say@acme."]


def test_a_module_with_a_variant_can_be_pickled():
    copy = pickle.loads(pickle.dumps(known.using(variant="acme")))
    assert copy._asked() is known.signature.of_variant("acme")


BAD = ["../acme", "a/b", "", "é", "acme\n", ".hidden", "a" * 65, 3]


@pytest.mark.parametrize("name", [name for name in BAD if name])
def test_a_name_that_can_t_be_a_file_s_is_refused(name):
    rule = "a variant is part of a file's name: at most 64 letters, digits, '_', '.' and '-'"
    with pytest.raises(ConfigurationError, match=rf"^variant\(…\): {rule}"), variant(name):
        pass
    with pytest.raises(ConfigurationError, match=rf"^configure\(variant=…\): {rule}"):
        configure(variant=name)
    with pytest.raises(ModuleCallError, match=rule):
        known.using(variant=name)


def test_the_sign_in_the_name_of_a_plain_prompt_file_is_refused():
    with pytest.raises(ModuleDefinitionError, match=r"'@' in the name of a prompt file .*rename"):
        lm_module(prompt="prompts/say@acme.yaml")(known.signature.function)


def test_the_variants_of_a_module_are_those_with_a_file_that_can_be_chosen(say, tmp_path):
    for name in ("say@de.v2.yaml", "say@a b.yaml", "say@x.md", "saying@y.yaml"):
        (tmp_path / name).write_text("")
    found = [signature.variant for signature in with_variants(say.signature)]
    assert found == ["", "acme", "de.v2"]


def test_the_package_offers_it():
    assert pytest_mipro.variant is variant
