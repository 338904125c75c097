"""Choose the client of a run from those that hooks give; refuse one for tests it is not for.

A client answers the whole run, whichever folder its hook is in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.collecting.plan import PLANNED
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.runtime.client.contract import LMClient

_HOOK = "pytest_mipro_client"
_REFUSED = pytest.StashKey[str]()


def chosen_client(config: pytest.Config) -> LMClient:
    """Return the first client that a `conftest.py` or a plugin gives, else the built-in one.

    Raises ConfigurationError for that of a `conftest.py` in whose folder not all marked tests of
    the run are. A hook that was refused is not asked again.
    """
    problem = config.stash.get(_REFUSED, "")
    if not problem:
        plugin, client = _given(config)
        problem = _problem(config, plugin)
        if not problem:
            return client
        config.stash[_REFUSED] = problem
    raise ConfigurationError(problem)


def _given(config: pytest.Config) -> tuple[Any, LMClient]:
    """Return the client that pluggy takes, with the plugin that gives it (None: unknown)."""
    hook = config.hook.pytest_mipro_client
    implementations = hook.get_hookimpls()
    if not any(each.hookwrapper or each.wrapper for each in implementations):
        for each in reversed(implementations):
            given: Any = each.function(*[config for _ in each.argnames])
            if given is not None:
                return each.plugin, given
    client: LMClient = hook(config=config)  # wrappers stand around the call of the hook itself
    return None, client


def _problem(config: pytest.Config, plugin: Any) -> str:
    file = _conftest(plugin)
    outside = _marked_outside(config, file.parent) if file else ""
    if file is None or not outside:
        return ""
    return (
        f"{format_path(config, file)}: {_HOOK} answers the whole run, and so {outside}, which is "
        "not in its folder; move it up, run the folders apart, or give the tests here a client of "
        "their own with pytest_mipro.configure(client=…)"
    )


def _marked_outside(config: pytest.Config, folder: Path) -> str:
    """Return a marked test of the run that is not in the folder, "" without one."""
    if config.rootpath.is_relative_to(folder):
        return ""
    session: Any = config.pluginmanager.get_plugin("session")
    items = session.items if session is not None else ()
    marked = (item for item in items if PLANNED in item.stash)
    outside = (item for item in marked if not item.path.is_relative_to(folder))
    return min((item.stash[PLANNED].test.nodeid for item in outside), default="")


def _conftest(plugin: Any) -> Path | None:
    file = getattr(plugin, "__file__", None)
    return Path(file) if file and Path(file).name == "conftest.py" else None
