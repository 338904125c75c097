"""Members of a shared study: who leaves, is taken for dead, or has another project."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from optimizer_world import make_settings, make_study, play
from shared_process import Process, same
from world_model import PROPOSER, WorldClient, answer, module_of

from pytest_mipro.errors import BudgetError, ConfigurationError, EndpointError
from pytest_mipro.optimizer.measuring.expectations import MeasurementError
from pytest_mipro.optimizer.run.events import LeadTaken, ProcessLost
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore, Entry
from pytest_mipro.optimizer.shared.jobs import Job
from pytest_mipro.optimizer.shared.storage import opened_storage
from pytest_mipro.optimizer.shared.worker import Membership, Worker
from pytest_mipro.runtime.client.contract import Reply, Request

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class HeldClient(WorldClient):
    """A client that tells of its first request, and answers none before it may."""

    def __init__(self, held: threading.Event, go: threading.Event) -> None:
        super().__init__(answer)
        self._held = held
        self._go = go

    async def complete(self, request: Request) -> Reply:
        self._held.set()
        while not self._go.is_set():
            await asyncio.sleep(0.01)
        return await super().complete(request)


class DyingClient(WorldClient):
    """A client that is gone for good from the first request that meets the condition on."""

    def __init__(self, dies: Callable[[Request], bool]) -> None:
        super().__init__(answer)
        self._dies = dies
        self.dead = threading.Event()

    async def complete(self, request: Request) -> Reply:
        if self.dead.is_set() or self._dies(request):
            self.dead.set()
            raise EndpointError("the endpoint is gone")
        return await super().complete(request)


def test_who_meets_an_error_leaves_and_the_others_go_on(url: str) -> None:
    """The one that leads, in its proposals; whoever it is, the next one takes over."""
    alone = play()
    dying = DyingClient(lambda request: request.model == PROPOSER)
    first = Process(url, "first", client=dying)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(first.run)
        while not first.seen(LeadTaken):
            assert not running.done()
        second = Process(url, "second")
        end = pool.submit(second.run)
    assert isinstance(running.exception(), EndpointError)
    result = end.result()
    assert isinstance(result, StudyResult)
    same(result, alone)
    rows = {request.canonical_json() for request in first.client.requests}
    asked = {request.canonical_json() for request in second.client.requests}
    again = rows & asked  # of modules whose prompts a trial leaves as they are
    assert len(again) < len(rows) / 2, "what was measured before is not measured again"


def test_jobs_of_who_leaves_are_run_by_others(url: str) -> None:
    alone = play()
    go = threading.Event()
    leader = Process(url, "leader", client=HeldClient(threading.Event(), go))
    worker = Process(url, "worker", client=DyingClient(lambda request: True))
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(leader.run)
        while not leader.seen(LeadTaken):
            assert not end.done()
        with pytest.raises(MeasurementError, match="the endpoint is gone"):
            worker.run()  # what the leader has no room for
        go.set()
    result = end.result()
    assert isinstance(result, StudyResult)
    same(result, alone)


def test_the_time_limit_of_who_leads_ends_the_run(url: str) -> None:
    go = threading.Event()
    process = Process(
        url, "only", client=HeldClient(threading.Event(), go), settings={"max_seconds": 0.5}
    )
    timer = threading.Timer(1.5, go.set)  # its cases end: they are waited for
    timer.start()
    with pytest.raises(BudgetError, match=r"the limit of 0.5 seconds is used up, within the"):
        process.run()
    timer.join()
    asked = {module_of(request) for request in process.client.requests}
    assert asked == {"note"}, "cases that nobody waits for make no further calls"
    with opened_storage(url) as storage:
        store = CoordinationStore(storage, url, "another study")
        (study,) = store.siblings("pytest-mipro")
        assert study.open_entries() == [], "nothing is left for others to do"


def test_two_projects_do_not_share_a_study(url: str) -> None:
    held, go = threading.Event(), threading.Event()

    one = Process(url, "one", client=HeldClient(held, go), project={"Python files": "a"}, timeout=3)
    other = Process(url, "other", settings={"seed": 1}, project={"Python files": "b"}, timeout=3)
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(one.run)
        assert held.wait(60)
        with pytest.raises(ConfigurationError) as refused:
            other.run()
        go.set()
    assert isinstance(end.result(), StudyResult)
    assert "differs in options, Python files; run the same commit" in str(refused.value)
    assert isinstance(replace(other, events=[]).run(), StudyResult), "nobody else is there now"


def test_a_study_s_name_is_one_that_every_database_holds(url: str) -> None:
    study = replace(make_study(), name="tests/test_日本_ü.mipro")
    assert isinstance(Process(url, "only", study).run(), StudyResult)
    with opened_storage(url) as storage:
        (found,) = storage.get_all_studies()
    assert found.study_name.isascii()
    assert found.study_name.startswith(r"pytest-mipro tests/test_\u65e5\u672c_\xfc.mipro ")


def test_who_was_taken_for_dead_joins_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a machine slept: the lead is lost, what was done by then is not."""
    alone = play()
    buried: list[int] = []
    turn = Worker._turn

    def burying(self: Worker) -> None:
        if not buried and len([e for e in self._store.done() if e.kind == "reply"]) > 2:
            buried.extend([self.id, *self._owned])
            for number in buried:
                assert self._store.fail(number)
            self._last_beat = float("-inf")  # its next sign of life is due
        turn(self)

    monkeypatch.setattr(Worker, "_turn", burying)
    process = Process(url, "sleeper")
    result = process.run()
    assert isinstance(result, StudyResult)
    same(result, alone)
    assert len(buried) == 2
    assert process.seen(ProcessLost) == [ProcessLost(process.study.name, "sleeper")]
    # For a moment it may see the lead that it lost as another's.
    first, *others, last = process.seen(LeadTaken)
    assert (first.mine, last.mine) == (True, True)
    assert not any(lead.mine for lead in others)


class SlowStore(CoordinationStore):
    """A store that hangs with its first answer that holds a job, until it may `go`."""

    def __init__(self, storage: BaseStorage, url: str) -> None:
        super().__init__(storage, url, "study")
        self.hangs, self.go = threading.Event(), threading.Event()

    def open_entries(self) -> list[Entry]:
        entries = super().open_entries()
        if any(entry.kind == "job" for entry in entries):
            self.hangs.set()
            self.go.wait()
        return entries


def test_who_left_while_the_storage_hung_claims_no_job(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_mipro.optimizer.shared.worker._LEAVING", 0.01)
    study, client = make_study(), WorldClient()
    membership = Membership(url, "me", tmp_path, {})
    with opened_storage(url) as storage:
        store = SlowStore(storage, url)
        with Worker(store, study, client, membership, make_settings()) as worker:
            job = Job(tuple(case.id for case in study.cases[:8]), {}, 100)
            store.put("job", job.key, place=0.3, job=asdict(job))
            store.hangs.wait()
        store.go.set()
        worker._thread.join()
        assert [entry.state for entry in store.open_entries()] == ["waiting"]
    assert client.requests == []
