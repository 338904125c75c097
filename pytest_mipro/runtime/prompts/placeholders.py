"""Find placeholders such as `{company}` in a text; all other braces stay as they are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence

from pytest_mipro.errors import PromptWarning
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import Signature

# What looks alike comes first, and is passed over: LaTeX commands, `{{…}}`, an escaped brace.
_PLACEHOLDER = re.compile(
    r"\\[A-Za-z]+(?:\{[^{}\n]*\})+|\{\{[^{}\n]*\}\}|\\\{|\{(?P<name>[A-Za-z_]\w*)\}", re.ASCII
)
# `{company}` and `{{ company }}`, as templates have them; not the braces of LaTeX, JSON or code.
_TEMPLATE = re.compile(r"(?<![\w\\{}])(?:\{([A-Za-z_]\w*)\}|\{\{ ?([A-Za-z_]\w*) ?\}\})(?!\})")


def split_text(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the pieces between placeholders, one more than these, and the placeholders' names."""
    pieces, names, start = [], [], 0
    for found in _PLACEHOLDER.finditer(text):
        if found["name"]:
            pieces.append(text[start : found.start()])
            names.append(found["name"])
            start = found.end()
    return (*pieces, text[start:]), tuple(names)


def placeholders_of(text: str) -> tuple[str, ...]:
    """Return the names of a text's placeholders, each once, in order."""
    return tuple(dict.fromkeys(split_text(text)[1]))


def joined(pieces: Sequence[str], names: Sequence[str], values: Mapping[str, str]) -> str:
    """Return the pieces with values between them; a name without one stays in its braces."""
    inserted = [*(values.get(name, f"{{{name}}}") for name in names), ""]
    return "".join(part for pair in zip(pieces, inserted, strict=True) for part in pair)


def template_names(text: str) -> tuple[str, ...]:
    """Return the names of what looks like a template's placeholders, each once, in order."""
    return tuple(dict.fromkeys(one or two for one, two in _TEMPLATE.findall(text)))


def warn_of_placeholders(prompt: Prompt, signature: Signature, *, from_file: bool) -> None:
    """Warn of what looks like a placeholder in a module's prompt, where nothing fills it in."""
    names = template_names(prompt.instruction)
    if names:
        where = signature.prompt_path if from_file else signature.where
        shown = ", ".join(f"{{{name}}}" for name in names)
        inputs = ", ".join(signature.inputs) or "none"
        warnings.warn(
            f"{where}: the instruction holds {shown}, which nothing fills in: models see it as it "
            f"stands, and the inputs ({inputs}) behind the instruction; name an input without "
            "braces, or write the text itself",
            PromptWarning,
            stacklevel=2,
        )
