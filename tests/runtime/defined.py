"""The signature of a function, as `@lm_module` makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_mipro.runtime.signature.function_signature import signature_of


def of(function: Callable[..., Any], prompt: str | None = None) -> Any:
    return signature_of(function, prompt=prompt, reasoning=False, optimize=True)
