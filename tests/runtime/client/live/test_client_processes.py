"""Processes with a client: they end without warnings, and import litellm at the first call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from live_calls import MODEL
from scripted_server import ScriptedServer

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("environment")
SCHEMA = {"type": "object", "properties": {"queue": {"type": "string"}}}


@pytest.mark.parametrize(
    "errors", [("error::ResourceWarning", "error::RuntimeWarning"), ("error",)]
)
def test_process_that_made_a_call_ends_without_warnings(
    server: ScriptedServer, errors: tuple[str, ...]
) -> None:
    """Under plain `error`, as suites set it, litellm's import alone would fail."""
    code = f"""
import gc
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request, known_cost, known_usage
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient, LiveSettings
client = LiteLLMClient(LiveSettings(api_base={server.base!r}))
print(loop.run(client.complete(Request({MODEL!r}, (Message("user", "hi"),)))).text)
loop.run(client.aclose())
del client
gc.unfreeze()
gc.collect()
"""
    command = [sys.executable, *(f"-W{each}" for each in errors), "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_a_litellm_that_cant_be_imported_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "litellm.py").write_text("from openai import gone_since", encoding="utf-8")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from pytest_mipro.errors import InfrastructureError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient
for _ in range(2):
    try:
        loop.run(LiteLLMClient().complete(Request({MODEL!r}, (Message("user", "hi"),))))
    except InfrastructureError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, again = done.stdout.splitlines()
    assert first == again
    assert first.startswith("litellm, which makes the LM calls, can't be imported (ImportError: ")
    assert "'gone_since'" in first


def test_runtime_imports_neither_litellm_nor_optuna_nor_pytest() -> None:
    code = """
import importlib, pkgutil, sys
import pytest_mipro.runtime as runtime
for module in pkgutil.walk_packages(runtime.__path__, "pytest_mipro.runtime."):
    if not module.name.endswith((".cache.store", ".cache.json_disk")):  # for a cache that is opened
        importlib.import_module(module.name)
from pytest_mipro.runtime.client.providers import ProviderClient
ProviderClient().endpoint("openai/gpt-4o-mini")
unwanted = {"litellm", "optuna", "pytest", "_pytest", "openai", "diskcache"}
print(sorted(unwanted & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
