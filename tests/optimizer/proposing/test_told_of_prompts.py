"""What a proposer model is told of a prompt text, and which proposals are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mipro.optimizer.proposing.told_of_prompts import keeps_placeholders, told_of_prompt
from pytest_mipro.runtime.signature.function_signature import signature_of
from pytest_mipro.runtime.signature.text_signature import text_signature

TEXT = text_signature(Path("/prompts/triage.md"))


def sort(ticket: str) -> str:
    """Sort for {company}."""


def test_a_text_s_placeholders_are_named_and_its_format_stays_in_it() -> None:
    told = told_of_prompt(TEXT, "Sort {a} for {b} and {a}.")
    assert "and add no other: {a}, {b}." in told["placeholders"]
    assert told["format"].startswith("Keep")
    assert told_of_prompt(TEXT, "Sort.")["placeholders"] == ""


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ('Sort {a}, then {b}, and {a} again, as {"x": 1}.', True),
        ("Sort {a}.", False),
        ("Sort {a}, {b} and {c}.", False),
        ("Sort {a} and {{b}}.", False),
    ],
)
def test_a_proposal_may_neither_drop_nor_invent_a_placeholder(after: str, kept: bool) -> None:
    assert keeps_placeholders(TEXT, "Sort {b} and {a}.", after) is kept


def test_a_module_s_braces_are_its_own() -> None:
    module = signature_of(sort, prompt=None, reasoning=False, optimize=True)
    assert keeps_placeholders(module, "Sort for {company}.", "Sort.")
    assert keeps_placeholders(module, "Sort for {company}.", "Sort well for {company}.")
    assert keeps_placeholders(module, "Sort.", 'Sort into {"a": 1}, \\frac{a}{b} or [refund].')
    assert not keeps_placeholders(module, "Sort.", "Sort {ticket} into one of {labels}.")


@pytest.mark.parametrize("gap", ["[Insert the rules here]", "[insert label]", "[your list here]"])
def test_no_gap_is_left_for_a_person_to_fill(gap: str) -> None:
    module = signature_of(sort, prompt=None, reasoning=False, optimize=True)
    assert not keeps_placeholders(module, "Sort.", f"Sort by these: {gap}")
    assert not keeps_placeholders(TEXT, "Sort.", f"Sort by these: {gap}")
    assert keeps_placeholders(TEXT, f"Sort: {gap}", f"Sort by these: {gap}")
    for sound in ("See [click here](https://x.example).", "Write [INSERT] there.", "[here](u)"):
        assert keeps_placeholders(module, "Sort.", sound)


def test_a_module_is_told_of_no_placeholders() -> None:
    module = signature_of(sort, prompt=None, reasoning=False, optimize=True)
    assert told_of_prompt(module, "Sort for {company}.")["placeholders"] == ""
