"""Live calls while freezegun has fixed the clock: litellm can't use its types of dates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_mipro.errors import InfrastructureError
from pytest_mipro.runtime.client.live.live_errors import failure_of

SAID = "no pydantic-core schema for <class 'freezegun.api.FakeDatetime'>."


def test_a_call_is_not_tried_again() -> None:
    failure = failure_of(ValueError(SAID), "openai/gpt-4o-mini")
    assert not failure.retried
    assert isinstance(failure.error, InfrastructureError)
    assert "fix the clock of your tests by time-machine" in str(failure.error)


def test_an_import_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "litellm.py").write_text(f"raise RuntimeError({SAID!r})", encoding="utf-8")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from pytest_mipro.errors import InfrastructureError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient
try:
    loop.run(LiteLLMClient().complete(Request("openai/x", (Message("user", "hi"),))))
except InfrastructureError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "while freezegun replaces the types of `datetime`" in done.stdout
