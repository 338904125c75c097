"""Tell of a file whose `schema_version` is that of another release."""

from __future__ import annotations

from typing import Any

UPDATE = "update pytest-mipro"
"""The remedy for what a later release wrote."""


def version_problem(version: Any, known: int) -> str:
    """Return what is wrong with a version that isn't `known`, with the remedy if it is later."""
    text = f"schema_version is {version!r:.60}, this release reads {known}"
    return f"{text}; {UPDATE}" if type(version) is int and version > known else text
