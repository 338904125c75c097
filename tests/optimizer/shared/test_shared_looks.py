"""Looks at a holdout count on all machines that share a storage, whoever of them led."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from optimizer_world import make_services, make_settings, make_study
from shared_process import ROOT, Patient
from world_model import WorldClient

from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.shared.leader_lease import DecidedElsewhere
from pytest_mipro.optimizer.shared.optimize_shared import optimize_shared
from pytest_mipro.optimizer.shared.worker import Membership


class Machine:
    """A machine with a record of its own of which finalists the holdout has judged.

    `locked` is how many its lock counts, without saying which.
    """

    def __init__(self, url: str, name: str, locked: int = 0) -> None:
        self._membership = Membership(url, name, ROOT, {})
        self.looks: list[str] = []
        self.locked = locked
        self.events: list[Any] = []

    def search(
        self, seed: int, client: WorldClient | None = None
    ) -> StudyResult | DecidedElsewhere:
        client = client or WorldClient()
        services = make_services(
            client,
            self.events,
            earlier_holdout_uses=self.locked,
            record_holdout_use=self._record,
            find_holdout_uses=self._find,
        )
        settings = make_settings(seed=seed)
        return optimize_shared(make_study(), services, settings, self._membership)

    def _record(self, finalist: str) -> list[str]:
        self.looks = list(dict.fromkeys((*self.looks, finalist)))
        return self.looks

    def _find(self, finalists: Sequence[str]) -> tuple[list[str], int]:
        for finalist in finalists:
            self._record(finalist)
        return self.looks, max(0, self.locked - len(self.looks))


def test_a_look_of_one_machine_counts_for_the_next_search_of_another(url: str) -> None:
    one, other = Machine(url, "one"), Machine(url, "other")
    first, second = one.search(seed=0), other.search(seed=1)
    assert isinstance(first, StudyResult)
    assert isinstance(second, StudyResult)
    assert first.finalist != second.finalist
    assert (first.holdout_uses, second.holdout_uses) == (1, 2)
    assert other.looks == [first.finalist, second.finalist]
    again = Machine(url, "third").search(seed=1)
    assert isinstance(again, StudyResult)
    assert (again.holdout_uses, again.reason) == (2, second.reason)


def test_a_look_that_the_lock_counts_is_not_counted_twice(url: str) -> None:
    """As by machines of a CI, which begin with the lock and the storage alone."""
    Machine(url, "one").search(seed=0)
    fresh = Machine(url, "other", locked=1)
    result = fresh.search(seed=1)
    assert isinstance(result, StudyResult)
    assert result.holdout_uses == 2
    [plan] = [event for event in fresh.events if isinstance(event, Plan)]
    assert plan.look == 2


def test_who_did_not_lead_counts_the_look_too(url: str) -> None:
    clients: list[Patient] = []
    machines = Machine(url, "one"), Machine(url, "other")
    patient = [Patient(clients) for _ in machines]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda machine, client: machine.search(0, client), machines, patient))
    assert {type(end) for end in ended} == {StudyResult, DecidedElsewhere}
    assert [len(machine.looks) for machine in machines] == [1, 1]
