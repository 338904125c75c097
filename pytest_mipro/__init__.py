"""pytest-mipro: prompts of LM pipelines as a tested, optimised and committed part of a repo."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_mipro.plugin.collecting.cases import cases
    from pytest_mipro.runtime.client.attachments import File, Image
    from pytest_mipro.runtime.module import LMModule, lm_module
    from pytest_mipro.runtime.prompt_text import PromptText, prompt_text
    from pytest_mipro.runtime.score import Score
    from pytest_mipro.runtime.settings import configure, variant
    from pytest_mipro.runtime.signature.inputs.chat_history import History
    from pytest_mipro.runtime.steps.decorator import step

__all__ = [
    "File",
    "History",
    "Image",
    "LMModule",
    "PromptText",
    "Score",
    "cases",
    "configure",
    "lm_module",
    "prompt_text",
    "step",
    "variant",
]

# Imported at first use: every pytest run imports this package for its hooks, also where nothing is
# marked, and production must not import pytest, which `cases` needs.
_HOMES = {
    "File": "pytest_mipro.runtime.client.attachments",
    "History": "pytest_mipro.runtime.signature.inputs.chat_history",
    "Image": "pytest_mipro.runtime.client.attachments",
    "LMModule": "pytest_mipro.runtime.module",
    "PromptText": "pytest_mipro.runtime.prompt_text",
    "Score": "pytest_mipro.runtime.score",
    "cases": "pytest_mipro.plugin.collecting.cases",
    "configure": "pytest_mipro.runtime.settings",
    "lm_module": "pytest_mipro.runtime.module",
    "prompt_text": "pytest_mipro.runtime.prompt_text",
    "step": "pytest_mipro.runtime.steps.decorator",
    "variant": "pytest_mipro.runtime.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
