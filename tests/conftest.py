"""For all tests: cases in order in pytest runs inside them, no deadlines, a PostgreSQL server."""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import itertools
import os
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from weakref import WeakValueDictionary

import pluggy
import pytest
from hypothesis import settings

# How long an example takes tells of the machine's other users.
settings.register_profile("mipro", deadline=None, max_examples=50)
settings.load_profile("mipro")

# Without it, an import of litellm asks for its price list, three times where there is no network.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

# Hundreds of runs in processes of their own start a third faster with the package compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_numbers = itertools.count()

# Hypothesis's summary takes a second a run, and pytest-asyncio warns where it is not configured.
ALL_PLUGINS = "-p no:randomly -p no:hypothesispytest -o asyncio_default_fixture_loop_scope=function"
OWN_PLUGINS = "-p pytest_mipro.plugin.hooks -p xdist.plugin"


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a fifth of the time, tests wait for others."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    from postgres_server import postgres_server  # noqa: PLC0415 - few tests need it

    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres_database(_postgres: str) -> str:
    """The URL, user and password in it, of an empty database on a server of the tests."""
    import psycopg  # noqa: PLC0415

    name = f"test_{next(_numbers)}"
    with psycopg.connect(_postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return _postgres.replace("/postgres", f"/{name}")


@pytest.fixture(scope="session")
def _quick_plugins() -> Iterator[None]:
    """Look for a plugin among all installed packages only where one has it: 2 % of each run."""
    known = {point.name for point in importlib.metadata.entry_points(group="pytest11")}
    load = pluggy.PluginManager.load_setuptools_entrypoints

    def quick(manager: pluggy.PluginManager, group: str, name: str | None = None) -> int:
        return load(manager, group, name) if name is None or name in known else 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pluggy.PluginManager, "load_setuptools_entrypoints", quick)
        yield


@pytest.fixture(scope="session")
def _imported(_quick_plugins: None) -> None:
    """Import the package before any run inside a test, as pytester forgets what it imports."""
    import pytest_mipro  # noqa: PLC0415

    for module in pkgutil.walk_packages(pytest_mipro.__path__, "pytest_mipro."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("optuna", "diskcache"):  # imported at their first use
        importlib.import_module(name)
    gc.freeze()  # what is imported for good need not be looked through at each collection
    sys.dont_write_bytecode = True  # the files of a run inside a test are imported once


@pytest.fixture(scope="session")
def litellm_imported() -> None:
    """Import litellm for all runs inside this process: each alone would take seconds to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        importlib.import_module("litellm")
    gc.freeze()


@pytest.fixture
def litellm_clients_closed() -> Iterator[None]:
    """Close litellm's clients after the test; of two threads that make one, it loses the other."""
    from lm_stub import close_litellm_clients  # noqa: PLC0415 - few tests need it

    yield
    close_litellm_clients()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def _inner_runs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load only this plugin and xdist into runs inside a test: the others cost more than the run.

    A test that needs another one names it with `-p`, or takes `all_plugins`.
    """
    if "pytester" in request.fixturenames:
        request.getfixturevalue("_imported")
        request.getfixturevalue("pytester")  # it clears the variable
        # A text of another test, alive until garbage is collected, would be told apart by its path.
        signatures = importlib.import_module("pytest_mipro.runtime.signature.signature")
        monkeypatch.setattr(signatures, "_defined", WeakValueDictionary())
        if "all_plugins" in request.fixturenames:
            monkeypatch.setenv("PYTEST_ADDOPTS", ALL_PLUGINS)
        else:
            monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            monkeypatch.setenv("PYTEST_ADDOPTS", OWN_PLUGINS)


@pytest.fixture
def all_plugins() -> None:
    """Load every installed plugin into the runs inside a test, as a user's run does."""
