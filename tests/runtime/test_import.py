"""`import pytest_mipro` in production: light, and nothing written or printed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import pytest_mipro

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


def test_no_release_is_promised_that_lacks_what_is_called() -> None:
    """litellm closes its connections since 1.75; types have one schema since pydantic 2.11."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    listed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    promised = {each.name: each.specifier for each in map(Requirement, listed)}
    last_without = {"litellm": "1.74.15", "pydantic": "2.10.6"}
    assert not [name for name, old in last_without.items() if old in promised[name]]


def test_the_extra_for_mysql_brings_what_its_own_passwords_take() -> None:
    """Without `cryptography`, PyMySQL can't log in to MySQL 8 over an unencrypted connection."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (driver,) = map(Requirement, extras["mysql"])
    assert (driver.name, driver.extras) == ("PyMySQL", {"rsa"})
