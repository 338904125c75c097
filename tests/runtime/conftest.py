"""A scripted endpoint, and a scripted model, for the tests of the runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from module_calls import MODEL
from scripted_server import ScriptedServer

from pytest_mipro.runtime.settings import Settings, replace_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


@pytest.fixture
def scripted_model() -> Iterator[None]:
    """Let modules without a model of their own ask the scripted one."""
    before = replace_settings(Settings(model=MODEL))
    yield
    replace_settings(before)
