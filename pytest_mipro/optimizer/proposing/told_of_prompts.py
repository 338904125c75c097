"""What a proposer model is told of a prompt: who sees it, and what it has to keep."""

from __future__ import annotations

import re

from pytest_mipro.runtime.prompts.placeholders import placeholders_of, template_names
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.signature.text_signature import TextSignature

# A gap for a person to fill, such as [Insert the rules here].
_GAP = re.compile(r"\[(?:insert\s[^\]\n]*|[^\]\n]*\S\s+here)\](?!\()", re.IGNORECASE)

TEXT_LINE = (
    "a text that the program puts into its own request, beside what it asks. It replies in text."
)
"""What a prompt text is, behind its name."""


def told_of_prompt(signature: Signature, instruction: str) -> dict[str, str]:
    """Return the values of a meta-prompt that depend on the prompt's kind, and its placeholders."""
    if not isinstance(signature, TextSignature):
        return {
            "sees": "A module is one call of a language model: it sees its instruction, then the "
            "format of its reply, which is added by itself, perhaps some solved examples, and last "
            "its inputs.",
            "format": "Leave out the format of the reply.",
            "placeholders": "",
        }
    names = ", ".join(f"{{{name}}}" for name in placeholders_of(instruction))
    kept = (
        "Keep these placeholders, which the program fills in, letter for letter, and add no other"
    )
    return {
        "sees": "A module is one call of a language model: it sees its instruction, to which "
        "nothing is added, and its inputs, in messages that the program makes.",
        "format": "Keep what the current instruction says of the format of the reply.",
        "placeholders": f"{kept}: {names}." if names else "",
    }


def keeps_placeholders(signature: Signature, before: str, after: str) -> bool:
    """Return whether a prompt text has the same placeholders after a change, and a module no new.

    Nothing fills in a module's: a model would see the braces, or a gap that a person was to fill.
    """
    if _GAP.search(after) and not _GAP.search(before):
        return False
    if isinstance(signature, TextSignature):
        return set(placeholders_of(before)) == set(placeholders_of(after))
    return set(template_names(after)) <= set(template_names(before))
