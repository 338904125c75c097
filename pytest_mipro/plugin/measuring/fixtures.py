"""Check that the fixtures of a captured case are still alive when it is called.

In optimisation a case is called again and again, concurrently, after its own set-up and tear-down.
So a fixture of the test must either be declared safe to share (`rerun_safe`), or outlive the case.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from numbers import Number
from pathlib import PurePath
from typing import Any

import pytest

from pytest_mipro.errors import ConfigurationError

# Plugins whose own fixtures manage themselves; what a test gets of them is no state of the project.
_MACHINERY = ("_pytest", "pytest_asyncio", "anyio", "xdist", "pytest_mipro")
# Fixtures that plugins give to every test, with the marks without which they do nothing for one.
_IDLE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "inline_snapshot": {"snapshot_check": ()},
    "pytest_base_url": {"_verify_url": (), "base_url": ()},
    "pytest_django": {
        "_dj_autoclear_mailbox": (),
        "_django_clear_site_cache": (),
        "_django_db_marker": ("django_db",),
        "_django_isolate_apps": ("django_isolate_apps",),
        "_django_set_urlconf": ("urls",),
        "_django_setup_unittest": (),
        "_fail_for_invalid_template_variable": (),
        "django_db_blocker": ("django_db",),
        "django_test_environment": (),
        "_template_string_if_invalid_marker": ("ignore_template_errors",),
    },
    "pytest_recording": dict.fromkeys(
        (
            "allowed_hosts",
            "block_network",
            "default_cassette_name",
            "disable_recording",
            "record_mode",
            "vcr",
            "vcr_cassette_dir",
            "vcr_config",
            "vcr_markers",
        ),
        ("vcr", "block_network"),
    ),
    "pytest_vcr": {"_vcr_marker": ("vcr",)},
}
# Likewise, with the fixture without which they do nothing.
_IDLE_WITHOUT: Mapping[str, Mapping[str, str]] = {
    "pytest_django": {"_live_server_helper": "live_server"},
    "pytest_flask": {
        "_configure_application": "app",
        "_monkeypatch_response_class": "app",
        "_push_request_context": "app",
    },
}
# Fixtures that a project overrides to tell these plugins on which loop coroutines run.
_LOOP_CHOICES = frozenset({"anyio_backend", "anyio_backend_options", "event_loop_policy"})
# pytest turns `setup_method` and its like into fixtures of these names.
_XUNIT = re.compile(r"_xunit_setup_(method|function|class|module)_fixture_")
_FIXTURE = "fixture "


@dataclass(frozen=True)
class UsedFixture:
    """A fixture of a captured case: its definition, and which of its values the case got."""

    name: str
    definition: pytest.FixtureDef[Any]
    changes: int


class FixtureWatch:
    """A plugin that counts how often each fixture was set up or torn down."""

    def __init__(self) -> None:
        self._changes = Counter[int]()

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Note that a value comes to life; pytest goes on to make it."""
        self._changes[id(fixturedef)] += 1

    @pytest.hookimpl
    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Note that the value is gone."""
        self._changes[id(fixturedef)] += 1

    def used(self, item: pytest.Function) -> tuple[UsedFixture, ...]:
        """Return the project's fixtures of an item, as they are set up now."""
        return tuple(
            UsedFixture(name, definition, self._changes[id(definition)])
            for name, definition in project_fixtures(item)
        )

    def alive(self, fixture: UsedFixture) -> bool:
        """Return whether the value that the case got still lives."""
        return self._changes[id(fixture.definition)] == fixture.changes


def project_fixtures(item: pytest.Function) -> list[tuple[str, pytest.FixtureDef[Any]]]:
    """Return name and definition of the item's fixtures, those of the machinery left out."""
    used = _definitions(item).items()
    return [
        (name, definition)
        for name, definition in used
        if not (_is_machinery(name, definition) or _is_idle(item, name, definition))
    ]


def direct_parameters(item: pytest.Function) -> frozenset[str]:
    """Return the parameters whose values `parametrize` or a case file gives, not a fixture."""
    return frozenset(_parameters(item)) - _definitions(item).keys()


def _parameters(item: pytest.Function) -> Mapping[str, object]:
    return item.callspec.params if hasattr(item, "callspec") else {}


def _definitions(item: pytest.Function) -> dict[str, pytest.FixtureDef[Any]]:
    """Return the definitions of the item's fixtures, without those of direct parametrisation.

    They look like function-scoped fixtures of the parameters' names, made by pytest.
    """
    info, found = item._fixtureinfo, {}  # noqa: SLF001 - pytest offers no public way
    for name in info.names_closure:
        for definition in info.name2fixturedefs.get(name, ())[-1:]:
            direct = name in _parameters(item) and (
                type(definition).__name__ == "DirectParamFixtureDef"
                or _module(definition).startswith("_pytest")
            )
            if not direct:
                found[name] = definition
    return found


def _module(definition: pytest.FixtureDef[Any]) -> str:
    return getattr(definition.func, "__module__", None) or ""


def _is_machinery(name: str, definition: pytest.FixtureDef[Any]) -> bool:
    if _XUNIT.match(name):
        return False  # made by pytest, but what it does is the project's
    return name in _LOOP_CHOICES or _module(definition).split(".")[0] in _MACHINERY


def _is_idle(item: pytest.Function, name: str, definition: pytest.FixtureDef[Any]) -> bool:
    plugin = _module(definition).split(".")[0]
    if fixture := _IDLE_WITHOUT.get(plugin, {}).get(name):
        return fixture not in item.fixturenames
    marks = _IDLE.get(plugin, {}).get(name)
    return marks is not None and not any(map(item.get_closest_marker, marks))


def fixture_label(name: str) -> str:
    """Return the name as the user wrote it: of `setup_method` and its like, pytest has its own."""
    found = _XUNIT.match(name)
    return f"setup_{found.group(1)}" if found else name


def caller_name(definition: pytest.FixtureDef[Any]) -> str:
    """Return how a fixture that calls modules is named in errors and recorded replies."""
    return f"{_FIXTURE}{fixture_label(definition.argname)}"


def is_fixture(caller: str) -> bool:
    """Return whether the name of a caller is that of a fixture."""
    return caller.startswith(_FIXTURE)


def shared_by_samples(item: pytest.Function, rerun_safe: Iterable[str]) -> tuple[str, ...]:
    """Return the fixtures not in `rerun_safe` that are made once for all samples of a case.

    They are the function-scoped ones; `setup_method` runs again for each sample.
    """
    safe = {"setup_method", *rerun_safe}
    made = [fixture_label(name) for name, one in project_fixtures(item) if one.scope == "function"]
    return tuple(label for label in made if label not in safe)


def is_constant(value: object) -> bool:
    """Return whether no test can change a value: a text, a number, a path, tuples of these."""
    if isinstance(value, (tuple, frozenset)):
        return all(map(is_constant, value))
    return value is None or isinstance(value, (str, bytes, Number, PurePath, Enum, type))


def check_before(item: pytest.Function, rerun_safe: Iterable[str]) -> None:
    """Refuse, before anything is run, a case whose fixtures can't serve repeated calls.

    Raises ConfigurationError that names test and fixture: for any async fixture, and for a
    function-scoped one that is not in `rerun_safe`.
    """
    safe = frozenset(rerun_safe)
    for name, definition in project_fixtures(item):
        label = fixture_label(name)
        function = definition.func
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(
                f"{item.nodeid}: the async fixture {label!r} can't serve repeated calls under "
                "--mipro-optimize; make it a plain fixture, or create its value in the test"
            )
        if definition.scope == "function" and label not in safe:
            raise ConfigurationError(
                f"{item.nodeid}: the function-scoped fixture {label!r} is gone when the case is "
                "called again under --mipro-optimize; widen its scope, or declare it with "
                f'@pytest.mark.mipro(rerun_safe=["{label}"])'
            )


def check_alive(
    nodeid: str, used: Iterable[UsedFixture], watch: FixtureWatch, safe: set[str]
) -> None:
    """Refuse a captured case one of whose fixture values is gone; raises ConfigurationError."""
    for fixture in used:
        label = fixture_label(fixture.name)
        if label not in safe and not watch.alive(fixture):
            raise _torn_down(nodeid, fixture.definition, label)


def check_lasting(cases: Sequence[tuple[pytest.Function, Collection[str]]]) -> None:
    """Refuse cases whose fixtures will be gone when their study runs, as far as items tell that.

    Each case comes with the fixtures that are safe to share. A value is gone where a later case has
    another one by its parameter, or where the study reaches beyond the class or module of its
    scope. Raises ConfigurationError, as `check_alive` does of what was set up.
    """
    chains = [set(item.listchain()[:-1]) for item, _ in cases]
    around = chains[0].intersection(*chains) if chains else set()
    used = [(item, project_fixtures(item), safe) for item, safe in cases]
    last = {one: _index(item, name) for item, fixtures, _ in used for name, one in fixtures}
    for item, fixtures, safe in used:
        for name, one in fixtures:
            lasts = _reaches(item, one.scope, around) and last[one] == _index(item, name)
            if not lasts and fixture_label(name) not in safe:
                raise _torn_down(item.nodeid, one, fixture_label(name))


def _reaches(item: pytest.Function, scope: str, around: Collection[object]) -> bool:
    """Return whether an item's class or module holds all of the study, if that is the scope."""
    if scope not in ("class", "module"):
        return True  # a package is left to the run
    node = item.getparent(pytest.Class) if scope == "class" else item.getparent(pytest.Module)
    return node is not None and node in around


def _index(item: pytest.Function, name: str) -> int:
    """Return which of a fixture's parameters the item gets."""
    return item.callspec.indices.get(name, 0) if hasattr(item, "callspec") else 0


def _torn_down(nodeid: str, definition: pytest.FixtureDef[Any], label: str) -> ConfigurationError:
    widen = "widen its scope to session"
    remedy = "parametrise the test in its place" if definition.params else widen
    return ConfigurationError(
        f"{nodeid}: the {definition.scope}-scoped fixture {label!r} was torn down before the study "
        f"could run; {remedy}, or declare it with "
        f'@pytest.mark.mipro(rerun_safe=["{label}"])'
    )


def shared_fixtures(used: Iterable[UsedFixture], safe: set[str]) -> tuple[str, ...]:
    """Return the fixtures not declared safe: because of them a test's cases run one at a time."""
    labels = (fixture_label(fixture.name) for fixture in used)
    return tuple(label for label in labels if label not in safe)
