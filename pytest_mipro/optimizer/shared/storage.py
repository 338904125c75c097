"""Optuna's storages by URL: PostgreSQL, MySQL, SQLite on one machine, a journal on shared files."""

from __future__ import annotations

import importlib.util
import json
import logging
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import sqlalchemy
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from pytest_mipro.errors import ConfigurationError, StorageError
from pytest_mipro.runtime.text.credentials import url_secrets
from pytest_mipro.runtime.text.redaction import hide_secrets, one_line

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


_JOURNAL = "journal:"
_DRIVERS = {"postgresql": ("psycopg", "psycopg2"), "mysql": ("pymysql", "MySQLdb")}
_DEFAULTS = ("psycopg2", "MySQLdb")  # SQLAlchemy's own, which a URL need not name
_OPENING_TRIES = 8
_LOCK = 0x6D6970726F  # any number that others are unlikely to take
_BUSY_SECONDS = 30.0


def shown_url(url: str) -> str:
    """Return the URL as it may be shown: without user name, password and query values."""
    return hide_secrets(url, url_secrets(url))


def deletion_command(url: str, study: str) -> str:
    """Return the command that deletes a study from the storage, with its credentials hidden."""
    if url.startswith(_JOURNAL):
        words = ["--storage", str(_journal_path(url)), "--storage-class", "JournalFileBackend"]
    else:
        words = ["--storage", shown_url(_with_driver(url))]
    return shlex.join(["optuna", "delete-study", *words, "--study-name", study])


@contextmanager
def opened_storage(url: str) -> Iterator[BaseStorage]:
    """Give the storage, optuna's own log lines kept back meanwhile.

    Raises ConfigurationError where the driver is missing, StorageError where it can't be reached.
    """
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        try:
            with storage_errors(url):
                storage = _opened(url)
        except ImportError:  # of the driver that the URL names
            raise _without_driver(url) from None
        # Another optuna's, no URL at all, or an option that its driver does not know.
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise _unusable(url, error) from None
        try:
            yield storage
        finally:
            if isinstance(storage, RDBStorage):
                storage.engine.dispose()
    finally:
        logger.setLevel(level)


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn what optuna, SQLAlchemy and the file system raise into a StorageError of one line."""
    try:
        yield
    except (
        sqlalchemy.exc.SQLAlchemyError,
        optuna.exceptions.StorageInternalError,
        json.JSONDecodeError,  # a journal that is none
        OSError,
    ) as error:
        raise _unusable(url, error) from None


def _unusable(url: str, error: Exception) -> StorageError:
    cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
    return StorageError(
        f"the storage {shown_url(url)} can't be used: "
        f"{one_line(cause, secrets=url_secrets(url)) or type(cause).__name__}; check the address, "
        "and that the server runs and lets this machine in"
    )


def _opened(url: str) -> BaseStorage:
    if url.startswith(_JOURNAL):
        path = _journal_path(url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return JournalStorage(JournalFileBackend(str(path)))
    address = _with_driver(url)
    if url.startswith("sqlite"):
        return _sqlite(address)
    with _first_come(address):
        return RDBStorage(address)


def _journal_path(url: str) -> Path:
    return Path(url.removeprefix(_JOURNAL)).expanduser()


@contextmanager
def _first_come(address: str) -> Iterator[None]:
    """Let one process after the other make the tables, where the database is still empty."""
    engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.NullPool)
    take = {
        "postgresql": f"SELECT pg_advisory_xact_lock({_LOCK})",
        "mysql": f"SELECT GET_LOCK('pytest-mipro-{_LOCK}', {_BUSY_SECONDS:.0f})",
    }
    with engine.begin() as connection:  # its end gives the lock back, also where the process dies
        connection.exec_driver_sql(take[engine.dialect.name])
        yield


def _sqlite(address: str) -> RDBStorage:
    wait = {"connect_args": {"timeout": _BUSY_SECONDS}}
    for number in range(1, _OPENING_TRIES + 1):
        try:
            storage = RDBStorage(address, engine_kwargs=dict(wait))
            break
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            cause = str(getattr(error.__cause__, "orig", error))
            made_meanwhile = "exists" in cause or "UNIQUE" in cause
            if number == _OPENING_TRIES or not made_meanwhile:
                raise
    _one_at_a_time(storage.engine)
    return storage


def _with_driver(url: str) -> str:
    """Return the URL with the driver that is installed, where it names none."""
    scheme, _, rest = url.partition("://")
    dialect, plus, _ = scheme.partition("+")
    if plus or dialect not in _DRIVERS:
        return url
    for driver in _DRIVERS[dialect]:
        if importlib.util.find_spec(driver) is not None:
            return url if driver in _DEFAULTS else f"{dialect}+{driver}://{rest}"
    raise _without_driver(url)


def _without_driver(url: str) -> ConfigurationError:
    scheme = url.partition("://")[0]
    dialect, _, driver = scheme.partition("+")
    remedies = [f"pip install 'pytest-mipro[{dialect}]'"] if dialect in _DRIVERS else []
    remedies += [f"leave +{driver} out of the address"] if driver else []
    return ConfigurationError(
        f"the storage {scheme}://… needs a driver that is not installed; {', and '.join(remedies)}"
    )


def _one_at_a_time(engine: sqlalchemy.Engine) -> None:
    """Begin each transaction of SQLite with its write lock.

    It has no lock on rows: of two processes that read "waiting", both would claim.
    """

    @sqlalchemy.event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = None  # or the driver begins transactions by itself, and later

    @sqlalchemy.event.listens_for(engine, "begin")
    def _(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # the connection made before has the other manner
