"""A module `desk.f`, whose prompt file is not there yet, for the tests of prompt files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from defined import of

from pytest_mipro.runtime.prompts.committed_prompts import forget_committed_prompts
from pytest_mipro.runtime.signature.function_signature import FunctionSignature

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def signature(tmp_path: Path) -> Iterator[FunctionSignature]:
    def f(x: str) -> int:
        """Count."""

    path = tmp_path / "desk.f.yaml"
    made = of(f, str(path))
    forget_committed_prompts()
    yield FunctionSignature("desk.f", made.instruction, path, function=f)
    forget_committed_prompts()
