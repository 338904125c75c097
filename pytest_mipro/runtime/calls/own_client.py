"""The stand-in for a module where the pipeline's own client calls with a prompt of its own."""

from __future__ import annotations

from pathlib import Path

from pytest_mipro.runtime.calls.steps import step_of_label
from pytest_mipro.runtime.prompts.prompt_file import PROMPT_SUFFIXES
from pytest_mipro.runtime.signature.function_signature import FunctionSignature
from pytest_mipro.runtime.signature.signature import VARIANT_SIGN


def _own_client() -> str:
    raise NotImplementedError


OWN_CLIENT = FunctionSignature(
    function=_own_client,
    name="own client",
    instruction="",
    prompt_path=Path(__file__).with_name("own client"),
    optimize=False,
)
"""Whose calls belong to no prompt: they are cached, priced and traced, and never candidates."""


def caller(label: str) -> str:
    """Return who calls a model, by the label that calls are counted under, for errors."""
    if not label:
        return "an LM call"
    if (step := step_of_label(label)) is not None:
        return f"the step {step!r}"
    if label == OWN_CLIENT.label:
        return "the pipeline's own client"
    return f"{'prompt text' if is_text(label) else 'LM module'} {label!r}"


def is_text(label: str) -> bool:
    """Return whether calls under a label are those of a prompt text, which is named by its file.

    Where texts of several folders have one name, the path stands behind it.
    """
    names = (label, label.partition(" (")[0])
    return any(Path(name.partition(VARIANT_SIGN)[0]).suffix in PROMPT_SUFFIXES for name in names)
