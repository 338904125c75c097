"""`import pytest_mipro` in production: light, and nothing written or printed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pytest_mipro

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("pytest", "_pytest", "pluggy", "optuna", "litellm", "diskcache", "rich", "numpy")
USE = '''
import sys
import pytest_mipro
from pytest_mipro import LMModule, Score, configure, lm_module
from pytest_mipro.runtime.client.contract import ScriptedClient
configure(model="m/x", client=ScriptedClient(["fine"]))

@lm_module
def f(x: str) -> str:
    """Reply."""

assert f("x") == "fine"
print([name for name in HEAVY if name in sys.modules])
'''


def test_a_call_in_production_imports_no_test_or_optimiser_library(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(f"HEAVY = {HEAVY!r}\n{USE}")
    command = [sys.executable, "-B", "-W", "error", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert [found.name for found in tmp_path.iterdir()] == ["app.py"]


def test_every_public_name_is_there() -> None:
    for name in pytest_mipro.__all__:
        assert getattr(pytest_mipro, name) is not None
        assert name in dir(pytest_mipro)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = pytest_mipro.nonsense
