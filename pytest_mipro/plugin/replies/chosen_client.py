"""Choose the client of a run from those that hooks give; refuse a choice that hides another.

A client answers the whole run, whichever folder its hook is in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.collecting.plan import PLANNED
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.runtime.client.contract import LMClient

_HOOK = "pytest_mipro_client"
_BUILT_IN = "pytest_mipro.plugin.hooks"
_REFUSED = pytest.StashKey[str]()


def chosen_client(config: pytest.Config) -> LMClient:
    """Return the client that a `conftest.py` or a plugin gives, else the built-in one.

    Raises ConfigurationError where two give one, and for that of a `conftest.py` in whose folder
    not all marked tests of the run are. Each hook is asked once a session.
    """
    if _REFUSED not in config.stash:
        given = list(_given(config))
        config.stash[_REFUSED] = _problem(config, [plugin for plugin, _ in given])
        if not config.stash[_REFUSED]:
            return given[0][1]
    raise ConfigurationError(config.stash[_REFUSED])


def _given(config: pytest.Config) -> Iterator[tuple[Any, LMClient]]:
    """Yield the clients with their plugins, the one that pluggy would take first."""
    hook, found = config.hook.pytest_mipro_client, False
    implementations = hook.get_hookimpls()
    if any(each.hookwrapper or each.wrapper for each in implementations):
        wrapped: LMClient = hook(config=config)  # they stand around the call of the hook itself
        yield None, wrapped
        return
    for each in reversed(implementations):
        if found and each.function.__module__ == _BUILT_IN:
            continue
        client: Any = each.function(*[config for _ in each.argnames])
        if client is not None:
            found = True
            yield each.plugin, client


def _problem(config: pytest.Config, plugins: list[Any]) -> str:
    names = [_name(config, plugin) for plugin in plugins]
    if len(plugins) > 1:
        return (
            f"{names[0]} and {names[1]}: both return a client from {_HOOK}, which answers the "
            "whole run; keep one, or return None from the other"
        )
    file = _conftest(plugins[0])
    outside = _marked_outside(config, file.parent) if file else ""
    if not outside:
        return ""
    return (
        f"{names[0]}: {_HOOK} answers the whole run, and so {outside}, which is not in its folder; "
        "move it up, run the folders apart, or give the tests here a client of their own with "
        "pytest_mipro.configure(client=…)"
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


def _name(config: pytest.Config, plugin: Any) -> str:
    file = _conftest(plugin)
    if file is not None:
        return format_path(config, file)
    return str(getattr(plugin, "__name__", None) or config.pluginmanager.get_name(plugin))
