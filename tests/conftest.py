"""For all tests: cases in order in pytest runs inside them, no deadlines, a PostgreSQL server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long an example takes tells of the machine's other users.
settings.register_profile("mipro", deadline=None)
settings.load_profile("mipro")


_numbers = itertools.count()


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


@pytest.fixture(autouse=True)
def _in_order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")  # it clears the variable
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
