"""Redact recorded replies and reports: built-in rules, then the hooks `pytest_mipro_redact`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.runtime.text.redaction import HIDDEN, hide_in_data, one_line, url_secrets

if TYPE_CHECKING:
    import pytest


HOOK = "pytest_mipro_redact"


def redactor(config: pytest.Config) -> Callable[[str], str]:
    """Return what takes secrets out of a text: the built-in rules, then each hook in turn."""
    manager = config.pluginmanager
    plugins = [impl.plugin for impl in reversed(getattr(config.hook, HOOK).get_hookimpls())]
    callers = [
        (plugin, manager.subset_hook_caller(HOOK, [other for other in plugins if other != plugin]))
        for plugin in plugins
    ]

    def redact(text: str) -> str:
        for plugin, caller in callers:
            text = _called(plugin, caller, config, text)
        return text

    return redact


def without_secrets(config: pytest.Config, text: str) -> str:
    """Return the text without keys, passwords, the endpoint's address and what looks like a key.

    Values of the environment count where their names end in KEY, TOKEN, SECRET or PASSWORD, and
    from 8 characters on.
    """
    return hide_in_data(text, _addresses(config))


def _called(plugin: Any, caller: Any, config: pytest.Config, text: str) -> str:
    name = getattr(plugin, "__file__", None) or getattr(plugin, "__name__", type(plugin).__name__)
    try:
        given = [value for value in caller(config=config, text=text) if value is not None]
    except Exception as error:
        raise ConfigurationError(
            f"{HOOK} of {name} raised {type(error).__name__}: {one_line(error, 200)}; repair it"
        ) from error
    if not given:
        return text
    if not isinstance(given[0], str):
        raise ConfigurationError(
            f"{HOOK} of {name} must return a text or None, not {given[0]!r:.60}"
        )
    return given[0]


def _addresses(config: pytest.Config) -> Iterator[str]:
    """Yield the addresses of endpoints, with their credentials."""
    given = [options_of(config).api_base or ""]
    given += [
        value for name, value in os.environ.items() if name.upper().endswith(("_BASE", "_BASE_URL"))
    ]
    for address in given:
        if "://" in address:
            yield from url_secrets(address)
            yield address.strip()
            yield address.strip().rstrip("/")
            scheme, _, rest = address.strip().rstrip("/").partition("://")
            place = rest.rpartition("@")[2]
            yield f"{scheme}://{place}"
            yield f"{scheme}://{HIDDEN}@{place}"  # as a reply has it whose credentials are hidden
