"""`--mipro-storage`: three processes share a study; first a worker is killed, then the leader."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg  # noqa: F401 - here, or each test with pytester imports its own
import pytest
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401 - as above
from optimize_project import (
    LOCK,
    WRITTEN,
    check_output,
    optimize,
    remove_written,
    run,
    write_project,
    written,
)
from postgres_server import PASSWORD

import pytest_mipro.plugin.optimise.shared_study  # noqa: F401 - as above
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore, Entry
from pytest_mipro.optimizer.shared.storage import opened_storage
from pytest_mipro.plugin.config import option_checks
from pytest_mipro.plugin.replies.journal import lines_of, paid, unfinished

STUCK = """
import asyncio

class Client(Client):
    '''Answers no more from a request on, told by MIPRO_TEST_STUCK; before, none until go.txt.'''

    async def complete(self, request):
        stuck = os.environ.get("MIPRO_TEST_STUCK", "")
        while stuck in ("at first", "second round") and not pathlib.Path("go.txt").exists():
            await asyncio.sleep(0.01)
        last = [one.messages[-1].content for one in (*self.requests, request)]
        asked = [not text.startswith("<number>") for text in last]
        later = asked[-1] and sum(asked) > 5  # two summaries, and three instructions a round
        if stuck == "always" or (stuck == "second round" and later):
            pathlib.Path("stuck.txt").touch()
            await asyncio.sleep(600)
        return await super().complete(request)
"""
TIMEOUT = """
from pytest_mipro.plugin.optimise import shared_study

shared_study.PROCESS_TIMEOUT = 4.0
"""
PATIENCE = 120.0


class Machine:
    """A pytest process, and the copy of the project that it runs in, by name; "": no copy."""

    def __init__(self, pytester: pytest.Pytester, name: str, url: str, stuck: str = "") -> None:
        self.folder = pytester.path / name
        if name:
            self.folder.mkdir()
            for file in pytester.path.iterdir():
                if file.is_file():
                    shutil.copy(file, self.folder)
        command = [sys.executable, "-m", "pytest", "--mipro-optimize", "--mipro-trials=4"]
        self._log = pytester.path / f"output-{id(self)}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "-p", "no:randomly", "-p", "no:cacheprovider"],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "MIPRO_STORAGE_URL": url, "MIPRO_TEST_STUCK": stuck},
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def name(self) -> str:
        return f":{self.process.pid}"

    def written(self) -> dict[str, bytes]:
        paths = [self.folder / name for name in WRITTEN]
        return {path.name: path.read_bytes() for path in paths if path.exists()}

    def kill(self) -> None:
        self.process.kill()
        assert self.process.wait(60) == -signal.SIGKILL


class Watch:
    """Waits for what is seen on the study's store."""

    def __init__(self, store: CoordinationStore, machines: list[Machine]) -> None:
        self._store = store
        self._machines = machines

    def until(self, seen: Callable[[list[Entry]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not any(seen([*b.open_entries(), *b.done()]) for b in self._studies()):
            assert time.monotonic() < deadline, self._outputs()
            time.sleep(0.05)

    def done(self) -> list[Entry]:
        return [entry for store in self._studies() for entry in store.done()]

    def _studies(self) -> list[CoordinationStore]:
        return self._store.siblings("pytest-mipro")

    def _outputs(self) -> str:
        return "\n".join(machine.output for machine in self._machines)


def name_of(entries: list[Entry], owner: int | None) -> str:
    return next((str(e.fact("name")) for e in entries if e.id == owner), "")


def holds(machine: Machine, kind: str) -> Callable[[list[Entry]], bool]:
    """Return whether the machine has claimed an entry of this kind."""
    return lambda entries: any(
        entry.kind == kind
        and entry.state == "running"
        and name_of(entries, entry.owner).endswith(machine.name)
        for entry in entries
    )


@contextmanager
def watched(url: str) -> Iterator[tuple[Watch, list[Machine]]]:
    machines: list[Machine] = []
    try:
        with opened_storage(url) as storage:
            yield Watch(CoordinationStore(storage, url, "watch"), machines), machines
    finally:
        for machine in machines:
            machine.process.kill()
            machine.process.wait(60)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_worker_and_then_the_leader_are_killed(pytester, postgres_database):
    url = postgres_database
    write_project(pytester, conftest=STUCK + TIMEOUT)
    optimize(pytester)
    alone = written(pytester)
    remove_written(pytester)
    with watched(url) as (watch, machines):
        leader = Machine(pytester, "leader", url, stuck="second round")
        machines.append(leader)
        watch.until(holds(leader, "lease"))
        worker = Machine(pytester, "worker", url, stuck="always")
        machines.append(worker)
        watch.until(holds(worker, "job"))
        worker.kill()
        (leader.folder / "go.txt").touch()
        last = Machine(pytester, "last", url)
        machines.append(last)
        # The leader can't come this far without the job that the worker had: others ran it.
        deadline = time.monotonic() + PATIENCE
        while not (leader.folder / "stuck.txt").exists():
            assert time.monotonic() < deadline, leader.output
            assert leader.process.poll() is None, leader.output
            time.sleep(0.05)
        before = [entry for entry in watch.done() if entry.kind in ("job", "reply")]
        assert {entry.kind for entry in before} == {"job", "reply"}
        leader.kill()
        assert last.process.wait(PATIENCE) == 0, last.output
        done = [entry for entry in watch.done() if entry.kind in ("job", "reply")]
    assert last.written() == alone, "the files are those of a run alone"
    assert len(last.written()) == 2
    assert leader.written() == worker.written() == {}
    assert len({(entry.kind, entry.key) for entry in done}) == len(done), "nothing was done twice"
    assert {entry.id for entry in before} < {entry.id for entry in done}
    assert "shared      this process leads: it proposes and decides" in last.output
    assert f"{leader.name} gave no sign of life; its work is done again" in last.output
    texts = [path.read_bytes() for path in pytester.path.rglob("*") if path.is_file()]
    assert len(texts) > 20
    assert not any(PASSWORD.encode() in text for text in texts), "the password is told nowhere"


def test_one_of_two_processes_in_one_folder_writes(pytester, postgres_database):
    write_project(pytester, conftest=STUCK)
    url = postgres_database
    with watched(url) as (watch, machines):
        for _ in range(2):
            machines.append(Machine(pytester, "", url, stuck="at first"))
        watch.until(lambda entries: sum(e.kind == "process" for e in entries) == 2)
        (pytester.path / "go.txt").touch()
        assert [machine.process.wait(PATIENCE) for machine in machines] == [0, 0]
    machines.sort(key=lambda machine: "this process leads" in machine.output)
    worker, leader = machines
    assert f", {LOCK}" in leader.output
    assert f"{leader.name} leads; this process runs cases for it" in worker.output
    assert f"{leader.name} writes the files" in worker.output
    assert "wrote" not in worker.output
    records = list((pytester.path / ".mipro/records").glob("*.jsonl"))
    assert len(records) == 1
    assert all(line.startswith("{") for line in records[0].read_text().splitlines())


def test_the_calls_of_the_cases_are_billed_as_in_a_run_alone(pytester):
    bills = []
    for number, storage in enumerate(([], [f"--mipro-storage=journal:{pytester.path}/log"])):
        write_project(pytester)
        assert optimize(pytester, *storage, f"--mipro-cache={pytester.path}/cache{number}").ret == 0
        (journal,) = (pytester.path / ".mipro/bills").glob("*.jsonl")
        bills.append([(it.stage, it.amount) for it in paid(lines_of(journal))])
        remove_written(pytester)
        shutil.rmtree(pytester.path / ".mipro")
    alone, shared = bills
    assert {stage for stage, _ in alone} > {"baseline", "search", "decision"}
    assert shared == alone


def test_who_ran_cases_for_another_begins_a_new_bill(pytester, postgres_database):
    write_project(pytester, conftest=STUCK)
    with watched(postgres_database) as (watch, machines):
        machines += [Machine(pytester, name, postgres_database, "at first") for name in "ab"]
        watch.until(lambda entries: sum(e.kind == "process" for e in entries) == 2)
        for machine in machines:
            (machine.folder / "go.txt").touch()
        assert [machine.process.wait(PATIENCE) for machine in machines] == [0, 0]
    journals = [next((it.folder / ".mipro/bills").glob("*.jsonl")) for it in machines]
    billed = [sum(it.amount.calls for it in paid(lines_of(path))) for path in journals]
    assert all(billed)
    assert [unfinished(lines_of(path)) for path in journals] == [[], []]


def test_a_storage_that_can_not_be_reached_is_one_line(pytester, free_tcp_port):
    write_project(pytester)
    url = f"postgresql://me:canary@127.0.0.1:{free_tcp_port}/base"
    result = optimize(pytester, f"--mipro-storage={url}")
    assert result.ret == 1
    lines = [line for line in result.outlines if "can't be used" in line]
    assert lines
    assert lines[0].startswith("the storage postgresql://[hidden]@127.0.0.1:")
    assert "canary" not in result.stdout.str()
    check_output(result)


@pytest.mark.parametrize(
    "url", ["redis://host", "postgresql:host", "journal:", "base.db", "mssql://a:canary@host/b"]
)
def test_a_url_of_another_kind_is_a_usage_error(pytester, url):
    write_project(pytester)
    result = run(pytester, "--mipro-optimize", f"--mipro-storage={url}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --mipro-storage must be postgresql://…, mysql://…, sqlite:///… (one machine) or *"]
    )
    assert "canary" not in result.stderr.str()


def test_an_at_sign_in_a_password_is_to_be_encoded(pytester):
    write_project(pytester)
    result = run(pytester, "--mipro-optimize", "--mipro-storage=mysql://me:can@canary/1@host/b")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *mysql://…, where an @ in the password is written as %40*"]
    )
    assert "can" not in result.stderr.str().replace("can't", "")


def test_an_at_sign_in_a_user_name_may_stand_as_it_is():
    url = "postgresql://me@server:canary@host:1/base"
    assert option_checks.storage(url) == url


def test_storage_needs_optimize_and_does_not_ask_anew(pytester):
    write_project(pytester)
    result = run(pytester, "--mipro-storage=journal:log")
    result.stderr.fnmatch_lines(["*--mipro-storage has no meaning without --mipro-optimize*"])
    result = run(
        pytester, "--mipro-optimize", "--mipro-storage=journal:log", "--mipro-replies=fresh"
    )
    result.stderr.fnmatch_lines(["*resumes from the results that it holds*drop one of them"])
    for limit in ("--mipro-max-tokens=9", "--mipro-max-cost=1"):
        result = run(pytester, "--mipro-optimize", "--mipro-storage=journal:log", limit)
        result.stderr.fnmatch_lines(["*shares out only a limit of calls, not of tokens or money*"])
    assert not (pytester.path / "log").exists()
