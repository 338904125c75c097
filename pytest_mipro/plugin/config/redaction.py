"""Hide credentials in reports and records: built-in rules, then the hooks `pytest_mipro_redact`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.runtime.text.credentials import url_secrets
from pytest_mipro.runtime.text.number_words import counted
from pytest_mipro.runtime.text.redaction import HIDDEN, hide_secrets, one_line

HOOK = "pytest_mipro_redact"
_SECRET_NAME = re.compile("key|token|secret|password|passwd", re.IGNORECASE)
_REDACT = pytest.StashKey[Any]()  # a function, by its config
_HIDDEN_IN = pytest.StashKey[set[str]]()


def redaction(config: pytest.Config) -> Callable[[str], str]:
    """Return what hides credentials in a text that is kept: known values, then the hooks' rules."""
    if _REDACT not in config.stash:
        hooked, secrets = redactor(config), run_secrets(config)
        kept = config.stash.setdefault(_HIDDEN_IN, set())

        @cache  # names and ids come again and again
        def redact(text: str) -> str:
            text = hooked(hide_secrets(text, secrets))
            if HIDDEN in text:
                kept.add(text)
            return text

        config.stash[_REDACT] = redact
    made: Callable[[str], str] = config.stash[_REDACT]
    return made


def redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """Return the value with redacted, encodable texts, and None for a number that is not finite."""
    if isinstance(value, str):
        return redact(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {redacted(key, redact): redacted(item, redact) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item, redact) for item in value]
    return value


def hidden_line(config: pytest.Config, shown: Iterable[str]) -> str:
    """Return how many credentials are hidden in what was kept, and in the texts `shown`; or ""."""
    texts = config.stash.get(_HIDDEN_IN, set[str]()).union(shown)
    count = sum(text.count(HIDDEN) for text in texts)
    return f"{counted(count, 'credential')} hidden, shown as {HIDDEN}" if count else ""


def run_secrets(config: pytest.Config) -> tuple[str, ...]:
    """Return what may be a credential besides the environment: of the endpoint, of ini keys."""
    return (*url_secrets(options_of(config).api_base), *_ini_secrets(config))


def redactor(config: pytest.Config) -> Callable[[str], str]:
    """Return what applies the hooks to a text, each in turn."""
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


def _ini_secrets(config: pytest.Config) -> Iterator[str]:
    """Yield the values of ini keys that are named like a credential, whoever's they are."""
    # pytest 9 has no public way to the keys as they stand in the file
    found = config._inicfg if hasattr(config, "_inicfg") else config.inicfg  # noqa: SLF001
    for name, given in found.items():
        value = getattr(given, "value", given)  # newer releases of pytest wrap it
        if isinstance(value, str) and _SECRET_NAME.search(name):
            yield value.strip()
