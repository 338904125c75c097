"""A study that several members share, each a thread here: one leads, all work, one decides."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from optimizer_world import (
    TWO_TESTS,
    Played,
    Row,
    make_services,
    make_settings,
    make_study,
    note,
    play,
    play_wandering,
    sort,
)
from world_model import (
    PROPOSER,
    WorldClient,
    answer,
    module_of,
    wandering_client,
    wandering_proposals,
)

from pytest_mipro.errors import BudgetError, ConfigurationError, EndpointError
from pytest_mipro.optimizer.measuring.expectations import MeasurementError
from pytest_mipro.optimizer.run.events import LeadTaken, ProcessLost, StageProgress
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore, Entry
from pytest_mipro.optimizer.shared.leader_lease import DecidedElsewhere
from pytest_mipro.optimizer.shared.optimize_shared import optimize_shared
from pytest_mipro.optimizer.shared.storage import opened_storage
from pytest_mipro.optimizer.shared.worker import Membership, Worker
from pytest_mipro.optimizer.study.case import Outcome, Study
from pytest_mipro.runtime.client.contract import Reply, Request

ROOT = Path(__file__).parents[1]


@dataclass
class Process:
    """One process of the study: its client, what it was told, how it ended."""

    url: str
    name: str
    study: Study = field(default_factory=make_study)
    client: Any = field(default_factory=WorldClient)
    settings: Mapping[str, Any] = field(default_factory=dict)
    project: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 60.0
    events: list[Any] = field(default_factory=list)

    def run(self) -> StudyResult | DecidedElsewhere:
        services = make_services(self.client, self.events)
        membership = Membership(self.url, self.name, ROOT, self.project, self.timeout)
        return optimize_shared(self.study, services, make_settings(**self.settings), membership)

    def seen(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"journal:{tmp_path}/log"


def together(*processes: Process) -> list[StudyResult | DecidedElsewhere | BaseException]:
    """Run the processes side by side and return how each ended."""
    with ThreadPoolExecutor(len(processes)) as pool:
        running = [pool.submit(process.run) for process in processes]
    return [run.exception() or run.result() for run in running]


def entries(url: str, study: Study) -> list[Entry]:
    """Return all that is done on the study's stores."""
    with opened_storage(url) as storage:
        store = CoordinationStore(storage, url, "another study")
        return [entry for other in store.siblings("pytest-mipro") for entry in other.done()]


def same(result: StudyResult, alone: Played) -> None:
    """Check that the result is the one of a run alone."""
    names = ("prompts", "decision", "reason", "finalist", "before", "after", "trials", "calls")
    for name in (*names, "deciding_before", "deciding_after", "ended", "split", "models"):
        assert getattr(result, name) == getattr(alone.result, name), name


def told(events: list[Any]) -> list[Any]:
    """Return the events of the study's path; how its jobs end is told in other steps."""
    return [item for item in events if type(item) not in (LeadTaken, ProcessLost, StageProgress)]


class Patient(WorldClient):
    """Answers once each of `clients` was asked: the first process leaves work for the last."""

    def __init__(self, clients: list[Patient]) -> None:
        super().__init__()
        clients.append(self)
        self._clients = clients

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        for _ in range(5000):
            if all(client.requests for client in self._clients):
                break
            await asyncio.sleep(0.002)
        return reply


@pytest.mark.parametrize("study", [make_study(), TWO_TESTS], ids=["one", "two tests, repeats"])
def test_the_result_is_that_of_a_run_alone(url: str, study: Study) -> None:
    alone = play(study)
    clients: list[Patient] = []
    processes = [Process(url, f"p{number}", study, Patient(clients)) for number in range(3)]
    ends = together(*processes)
    (result,) = [end for end in ends if isinstance(end, StudyResult)]
    same(result, alone)
    assert result.prompts
    leader = processes[ends.index(result)]
    other = [end for end in ends if end is not result]
    assert other == [DecidedElsewhere(leader.name, result.reason, better=True)] * 2
    assert told(leader.events) == told(alone.events)
    for process in processes:
        assert process.seen(LeadTaken)[-1] == LeadTaken(
            study.name, leader.name, mine=process is leader
        )
        assert process.client.requests, "each process did a part of the work"
    keys = [entry.key for entry in entries(url, study) if entry.kind == "job"]
    assert len(keys) == len(set(keys)) > 10, "no job was done twice"


def test_who_comes_later_walks_the_same_path_at_no_cost(url: str) -> None:
    alone = play()
    first = Process(url, "first")
    assert isinstance(first.run(), StudyResult)
    later = Process(url, "later")
    result = later.run()
    assert isinstance(result, StudyResult)
    same(result, alone)
    assert later.client.requests == []


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


def test_an_error_of_the_study_is_that_of_a_run_alone(url: str) -> None:
    study = make_study(tests={"test_none": lambda row: 1 / 0})
    process = Process(url, "only", study)
    with pytest.raises(Exception, match="each of its 42 case runs raised an exception") as shared:
        process.run()
    with pytest.raises(type(shared.value)) as alone:
        play(study)
    assert str(shared.value) == str(alone.value)


def metric_routed(row: Row) -> Outcome:
    """A metric whose program calls its second module only where the first has no more to say."""
    text = note(row.text)
    return Outcome(1.0 if "more" in text else float(sort(text) == row.colour))


def talkative_teacher(request: Request) -> str:
    """Reply as ever, but as the teacher in a way that leads past the second module."""
    teaches = request.model == "fake/teacher" and module_of(request) == "note"
    return answer(request) + (" more" if teaches else "")


@pytest.mark.parametrize(
    ("reply", "settings"),
    [(wandering_proposals, {}), (talkative_teacher, {"teacher_model": "fake/teacher"})],
    ids=["candidate", "teacher"],
)
def test_a_candidate_or_teacher_may_lead_past_a_module_as_in_a_run_alone(
    url: str, reply: Callable[[Request], str], settings: Mapping[str, Any]
) -> None:
    study = make_study(tests={"test_routed": metric_routed})
    alone = play(study, WorldClient(reply), **settings)
    process = Process(url, "only", study, WorldClient(reply), settings)
    result = process.run()
    assert isinstance(result, StudyResult)
    same(result, alone)


@pytest.mark.parametrize("limit", [400, 190])
def test_the_budget_is_shared_out(url: str, limit: int) -> None:
    """A candidate that needs more than its reservation is dropped; the limit holds in all."""
    alone = play_wandering(max_calls=limit)
    processes = [
        Process(url, f"p{n}", alone.study, wandering_client(), {"max_calls": limit})
        for n in range(2)
    ]
    results = [end for end in together(*processes) if isinstance(end, StudyResult)]
    asked = {request.digest() for process in processes for request in process.client.requests}
    assert len(asked) <= limit
    assert results
    for result in results:  # two, where one ended before the other began
        assert result.calls <= limit
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
