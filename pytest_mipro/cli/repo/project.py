"""Work inside the project as pytest sets it up: its ini file, conftest files and import paths.

pytest itself is run, without its output. Nothing is asked of a model: calls are refused as in a
replay, and pytest's own cache goes to a folder that is thrown away.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Generic, TypeVar

import pytest

from pytest_mipro.errors import ConfigurationError, MiproError
from pytest_mipro.plugin import hooks
from pytest_mipro.plugin.config.apply_options import options_in_force
from pytest_mipro.runtime.text.redaction import one_line

T = TypeVar("T")
_ENTRY_POINT = "mipro"


class Visitor(Generic[T]):
    """A plugin of a pytest run; `result` is what the run was made for, `error` what prevented it.

    A subclass overrides hooks, and sets the result in one of them.
    """

    def __init__(self) -> None:
        self.result: T | None = None
        self.error: MiproError | None = None
        self.interrupted = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        """Load this package's own plugin where the environment keeps pytest from finding it."""
        manager = early_config.pluginmanager
        if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") and not manager.is_registered(hooks):
            manager.register(hooks, _ENTRY_POINT)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep that the user has stopped the run, which pytest takes for an ordinary end."""
        self.interrupted = excinfo.errisinstance(KeyboardInterrupt)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Run in this process, also where the project's options share the tests out."""
        if hasattr(config.option, "numprocesses"):  # of pytest-xdist, which may have read it before
            config.option.numprocesses, config.option.dist, config.option.tx = 0, "no", []


class _Action(Visitor[T]):
    """Does something once pytest is configured, instead of a collection."""

    def __init__(self, action: Callable[[pytest.Config], T]) -> None:
        super().__init__()
        self._action = action

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Do it; True ends the collection."""
        with options_in_force(session.config):
            try:
                self.result = self._action(session.config)
            except MiproError as error:
                self.error = error
        return True


def in_project(action: Callable[[pytest.Config], T]) -> T:
    """Return what the action returns within the configured project; raises its MiproError."""
    return visit(_Action(action), ["--collect-only"])


def visit(visitor: Visitor[T], arguments: Sequence[str] = ()) -> T:
    """Return the result of a pytest run with the visitor in it.

    Raises its error; ConfigurationError where pytest ended before there was a result;
    KeyboardInterrupt where the user ended it.
    """
    written = io.StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        redirect_stdout(written),
        redirect_stderr(written),
    ):
        always = [
            *("-o", f"cache_dir={folder}", "--capture=sys", "-qq"),
            *("-W", "ignore::pytest.PytestAssertRewriteWarning", "--mipro-replies=replay"),
        ]
        pytest.main([*always, *arguments], plugins=[visitor])
    if visitor.interrupted:
        raise KeyboardInterrupt
    if visitor.error is not None:
        raise visitor.error
    if visitor.result is None:
        raise ConfigurationError(f"pytest can't run here: {_reason(written.getvalue())}")
    return visitor.result


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return one_line((errors or lines or ["it says nothing"])[-1])


def described(error: BaseException) -> str:
    """Return an error of the project's code in one line."""
    return f"{type(error).__name__}: {one_line(error)}" if str(error) else type(error).__name__
