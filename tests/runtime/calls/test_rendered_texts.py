"""Which prompt text a request belongs to, and what the call asks beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.runtime.calls import rendered_texts
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.rendered_texts import Owner, owner_of
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Message, ScriptedClient
from pytest_mipro.runtime.prompt_text import PromptText, prompt_text
from pytest_mipro.runtime.prompts.prompt import Prompt


def text_in(folder: Path, content: str, name: str = "triage.md") -> PromptText:
    path = folder / name
    path.write_text(content)
    return prompt_text(str(path))


def context(**changes: object) -> CallContext:
    return CallContext(ScriptedClient([]), trace=Trace(), **changes)  # type: ignore[arg-type]


def owner(running: CallContext, *messages: Message) -> Owner | None:
    assert running.trace is not None
    return owner_of(messages, running.trace.texts, running.prompts)


def test_the_system_message_holds_the_text_and_the_last_user_messages_ask(tmp_path: Path) -> None:
    text = text_in(tmp_path, "You sort tickets of {company}.\n")
    with use(context()) as running:
        system = Message("system", f"Be brief. {text.format(company='ACME')}")
    turns = (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "It hangs "))
    found = owner(running, system, *turns)
    assert found == Owner(text.signature, {"company": "ACME", "user_message": "It hangs"})


def test_one_message_that_is_all_text_asks_by_its_values(tmp_path: Path) -> None:
    text = text_in(tmp_path, "Sort this: {ticket}")
    with use(context()) as running:
        only = Message("user", text.format(ticket="It hangs"))
    assert owner(running, only) == Owner(text.signature, {"ticket": "It hangs"})


def test_what_stands_beside_the_text_in_its_message_is_asked(tmp_path: Path) -> None:
    text = text_in(tmp_path, "Sort the ticket below.")
    with use(context()) as running:
        only = Message("user", f"{text}\n\nIt hangs")
    assert owner(running, only) == Owner(text.signature, {"user_message": "It hangs"})


@pytest.mark.parametrize("end", ["", " Go."])
def test_placeholders_that_the_pipeline_fills_itself_are_found(tmp_path: Path, end: str) -> None:
    text = text_in(tmp_path, f"For {{company}}: {{ticket}}{end}")
    with use(context()) as running:
        sent = str(text).replace("{company}", "A: B").replace("{ticket}", "It hangs")
    found = owner(running, Message("user", sent))
    assert found == Owner(text.signature, {"company": "A", "ticket": "B: It hangs"})


def test_a_line_break_between_placeholders_is_found(tmp_path: Path) -> None:
    text = text_in(tmp_path, "Sort:\n{company}\n{ticket}")
    with use(context()) as running:
        sent = str(text).replace("{company}", "ACME Ltd").replace("{ticket}", "It hangs")
    found = owner(running, Message("user", sent))
    assert found == Owner(text.signature, {"company": "ACME Ltd", "ticket": "It hangs"})


def test_a_text_that_a_library_indents_is_found(tmp_path: Path) -> None:
    text = text_in(tmp_path, "Sort it.\n- for {company}\n- at  once\n")
    with use(context()) as running:
        sent = (
            text.format(company="ACME Ltd").replace("\n", "\n        ").replace("  once", " once")
        )
        later = str(text).strip().replace("\n", "\r\n").replace("{company}", "Finch & Co")
    for system, company in ((sent, "ACME Ltd"), (later, "Finch & Co")):
        messages = Message("system", f"Objective: {system}"), Message("user", "It hangs")
        values = {"company": company, "user_message": "It hangs"}
        assert owner(running, *messages) == Owner(text.signature, values)


def test_the_longest_text_wins_and_of_equal_ones_the_newest(tmp_path: Path) -> None:
    short = text_in(tmp_path, "Sort it.", "short.md")
    long = text_in(tmp_path, "Sort it. Be quick about it, {name}.", "long.md")
    with use(context()) as running:
        both = f"{long.format(name='Al')} {short} {long.format(name='Bo')}"
    found = owner(running, Message("system", both))
    assert found == Owner(long.signature, {"name": "Bo"})


def test_a_request_without_a_text_belongs_to_none(tmp_path: Path) -> None:
    text = text_in(tmp_path, "Sort it.")
    with use(context()) as running:
        str(text)
    assert owner(running, Message("user", "Sort that.")) is None


def test_a_text_made_outside_the_case_is_told_once_a_candidate_should_be_there(
    tmp_path: Path,
) -> None:
    text = text_in(tmp_path, "Sort it.")
    early = Message("system", str(text))
    assert owner(context(), early) == Owner(text.signature, {})
    candidate = context(prompts={text.signature.prompt_path: Prompt("Sort it well.")})
    with pytest.raises(
        ConfigurationError, match=r"triage\.md:1: prompt text 'triage.md': .* import"
    ):
        owner(candidate, early)
    with use(candidate):
        now = Message("system", str(text))
    assert owner(candidate, now) == Owner(text.signature, {})


def test_no_pattern_is_made_for_a_text_that_was_sent_as_it_is_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered_texts, "_words", None)
    text = text_in(tmp_path, "Sort mails.\nBe brief.")
    rendering = rendered_texts.Rendering(text.signature, ("Sort mails.\nBe brief.",))
    assert rendering.found_in("Hi. Sort mails.\nBe brief. Thanks.") == ("Hi.  Thanks.", {})
    assert rendering.found_in("Sort mails. Be careful.") is None
