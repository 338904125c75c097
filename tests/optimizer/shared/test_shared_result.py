"""The result of a study that several share is that of a run alone, and costs no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from optimizer_world import TWO_TESTS, Row, make_study, note, play, play_wandering, sort
from shared_process import Patient, Process, same
from world_model import WorldClient, answer, module_of, wandering_client, wandering_proposals

from pytest_mipro.optimizer.run.events import LeadTaken, ProcessLost, StageProgress
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore, Entry
from pytest_mipro.optimizer.shared.leader_lease import DecidedElsewhere
from pytest_mipro.optimizer.shared.storage import opened_storage
from pytest_mipro.optimizer.study.case import Outcome, Study
from pytest_mipro.runtime.client.contract import Request


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


def told(events: list[Any]) -> list[Any]:
    """Return the events of the study's path; how its jobs end is told in other steps."""
    return [item for item in events if type(item) not in (LeadTaken, ProcessLost, StageProgress)]


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
