"""The stand-in for a module where the pipeline's own client calls with a prompt of its own."""

from __future__ import annotations

from pathlib import Path

from pytest_mipro.runtime.signature.signature import Signature


def _own_client() -> str:
    raise NotImplementedError


OWN_CLIENT = Signature(
    function=_own_client,
    name="own client",
    instruction="",
    prompt_path=Path(__file__).with_name("own client"),
    optimize=False,
)
"""Whose calls belong to no prompt: they are cached, priced and traced, and never candidates."""
