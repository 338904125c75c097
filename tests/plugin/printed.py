"""What a pytest run within a test printed."""

from __future__ import annotations

import pytest


def flat(result: pytest.RunResult) -> str:
    """Return the output in one line, wherever the terminal broke it."""
    return " ".join(result.stdout.str().split())
