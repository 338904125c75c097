"""Storages by URL: what can't be used is one line, and no line tells a password."""

import importlib.util
from pathlib import Path

import psycopg
import pytest

from pytest_mipro.errors import ConfigurationError, StorageError
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.optimizer.shared.storage import deletion_command, opened_storage, shown_url


def refusal(url: str) -> str:
    with pytest.raises(StorageError) as refused, opened_storage(url):
        pass
    text = str(refused.value)
    assert "\n" not in text
    assert text.endswith("check the address, and that the server runs and lets this machine in")
    return text


def test_a_wrong_password_is_one_line_without_it(postgres_database: str) -> None:
    text = refusal(postgres_database.replace("pg-canary-password", "wrong%2Fcanary"))
    assert "password authentication failed" in text
    assert "canary" not in text
    assert "wrong" not in text


def test_a_server_that_is_not_there_is_one_line(free_tcp_port: int) -> None:
    text = refusal(
        f"postgresql://me:canary-secret@127.0.0.1:{free_tcp_port}/none?sslpassword=canary2"
    )
    assert text.startswith(
        f"the storage postgresql://[hidden]@127.0.0.1:{free_tcp_port}/none?sslpassword=[hidden] "
    )
    assert "canary" not in text


@pytest.mark.parametrize("place", ["missing/folder/log", "."])
def test_a_file_that_can_not_be_used_is_one_line(tmp_path: Path, place: str) -> None:
    refusal(f"sqlite:///{tmp_path / place}")
    with pytest.raises(StorageError), opened_storage(f"journal:{tmp_path / place}") as storage:
        CoordinationStore(storage, "journal:", "study")


def test_a_file_that_is_no_journal_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("not a journal\n")
    url = f"journal:{tmp_path}/log"
    with pytest.raises(StorageError, match="can't be used"), opened_storage(url) as storage:
        CoordinationStore(storage, url, "study")


def test_an_entry_that_is_not_ours_is_one_line(tmp_path: Path) -> None:
    url = f"journal:{tmp_path}/log"
    with opened_storage(url) as storage:
        store = CoordinationStore(storage, url, "study")
        number = store.put("job", job=1)
        storage.set_trial_user_attr(number, "job.0", "x" * 9)
        with pytest.raises(StorageError, match="holds an entry that is not pytest-mipro's") as told:
            store.entry(number).fact("job")
    assert str(told.value).endswith(
        f"delete the study: `optuna delete-study --storage {tmp_path}/log "
        "--storage-class JournalFileBackend --study-name study`"
    )


def test_the_command_that_deletes_a_study_hides_credentials() -> None:
    command = deletion_command("mysql+pymysql://me:secret@host/b", "the study")
    assert command == (
        "optuna delete-study --storage 'mysql+pymysql://[hidden]@host/b' --study-name 'the study'"
    )


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_a_driver_that_is_missing_is_named(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with (
        pytest.raises(ConfigurationError, match=rf"pip install 'pytest-mipro\[{dialect}\]'"),
        opened_storage(f"{dialect}://me:canary@host/base"),
    ):
        pass


@pytest.mark.parametrize("scheme", ["postgresql+pg8000", "mysql+mysqlconnector"])
def test_a_driver_that_the_url_names_and_is_missing_is_one_line(scheme: str) -> None:
    url = f"{scheme}://me:canary-secret@localhost/base"
    dialect, _, driver = scheme.partition("+")
    with pytest.raises(ConfigurationError) as refused, opened_storage(url):
        pass
    assert str(refused.value) == (
        f"the storage {scheme}://… needs a driver that is not installed; pip install "
        f"'pytest-mipro[{dialect}]', and leave +{driver} out of the address"
    )


def test_a_url_is_shown_without_its_credentials() -> None:
    assert shown_url("mysql://me:a%40b@host:1/base?password=x1y2") == (
        "mysql://[hidden]@host:1/base?password=[hidden]"
    )
    assert shown_url("journal:/shared/log") == "journal:/shared/log"


@pytest.mark.parametrize("password", ["S3cr/et+Zq9xK", "S3cr?et+Zq9xK", "S3cr#et/Zq9xK", "a/b"])
def test_a_password_may_hold_what_divides_other_addresses(password: str) -> None:
    assert shown_url(f"postgresql://me:{password}@host:1/base?sslkey=x1y2") == (
        "postgresql://[hidden]@host:1/base?sslkey=[hidden]"
    )


def test_an_option_that_the_driver_does_not_know_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def connect(**options: object) -> None:
        raise TypeError("connect() got an unexpected keyword argument 'tls'")

    url = "postgresql+psycopg://me:canary/Zq9xK@host/base?tls=on"
    monkeypatch.setattr(psycopg, "connect", lambda *_, **options: connect(**options))
    text = refusal(url)
    assert "unexpected keyword argument 'tls'" in text
    assert "canary" not in text
