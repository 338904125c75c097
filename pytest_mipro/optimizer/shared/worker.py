"""One process's part in a shared study: in a thread, it sends heartbeats and runs jobs."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

from pytest_mipro.errors import MiproError, StorageError
from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.budget.spending import Spending
from pytest_mipro.optimizer.measuring.evaluate import Evaluator, MeasuringRules, PendingEvaluation
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore, Entry
from pytest_mipro.optimizer.shared.heartbeat import PROCESS_TIMEOUT, Reaper, heartbeat_interval
from pytest_mipro.optimizer.shared.jobs import Serialiser, job_of
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.runtime.calls.context import Teacher
from pytest_mipro.runtime.client.contract import LMClient

_POLL = 0.2  # seconds between two snapshots of the store
_LEAVING = 2.0  # seconds for the thread to end; a storage that hangs may take for ever


class LeadLostError(MiproError):
    """Others took this process, which led, for dead: another one leads now."""


class EveryRequest(Spending):
    """Takes every request for new: only the leader knows which are new to the study."""

    def known(self, digest: str, mark: int) -> bool:
        """Return False."""
        del digest, mark
        return False


@dataclass(frozen=True)
class Membership:
    """Where and as whom a process joins a study.

    `process` names it, as host and process id; stored paths are relative to `root`; `project` holds
    what processes must have in common beside the study and its settings, by name. After `timeout`
    seconds without a heartbeat a process counts as dead.
    """

    url: str
    process: str
    root: Path
    project: Mapping[str, Any]
    timeout: float = PROCESS_TIMEOUT


class Snapshot(NamedTuple):
    """The open entries as they were read once; `serial` counts the snapshots."""

    serial: int
    entries: tuple[Entry, ...]


class Worker:
    """One of the processes that share a study, as a `with` block; behind it, it has left.

    All its work happens in a thread of its own, so that it goes on while this one waits for others.
    `wait` raises what ended the thread, and LeadLostError, once.
    """

    def __init__(
        self,
        store: CoordinationStore,
        study: Study,
        client: LMClient,
        membership: Membership,
        settings: OptimizerSettings,
    ) -> None:
        self._store = store
        self.name = membership.process
        self._capacity = settings.concurrency
        self._evaluator = Evaluator(
            study,
            client,
            Accounting(EveryRequest()),
            concurrency=self._capacity,
            case_timeout=settings.case_timeout,
        )
        self.serialiser = Serialiser(study.cases, membership.root)
        self._reaper = Reaper(store, membership.timeout)
        # In a copy of this context, as it says by whom the cases' calls are billed.
        work = partial(contextvars.copy_context().run, self._work)
        self._thread = threading.Thread(target=work, name="mipro-worker", daemon=True)
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._changed = threading.Condition()
        self._snapshot = Snapshot(0, ())
        self._error: BaseException | None = None
        self._running: dict[int, PendingEvaluation] = {}
        self._names: dict[int, str] = {}
        self._lost: list[str] = []
        self._interval = heartbeat_interval(membership.timeout)
        self._beats = 0
        self._last_beat = time.monotonic()
        self._owned: set[int] = set()
        self._passed: set[int] = set()
        self._lead_lost = False
        self.id = -1

    def __enter__(self) -> Self:
        self.id = self._store.put("process", state="running", name=self.name)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """Give back what is claimed, so that nobody has to wait for the timeout."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(_LEAVING)
        for pending in tuple(self._running.values()):
            pending.abandon()
        # As in `optimize`: cases must end before their fixtures do. Ctrl-C does not wait.
        self._evaluator.close(wait=kind is not None and issubclass(kind, MiproError))
        with suppress(StorageError):  # then the others wait for the timeout
            for number in (*self._running, *self._owned):
                self._store.fail(number)
            self._store.finish(self.id)

    def release_on_exit(self, number: int) -> None:
        """Take note of an entry claimed for this process, to give it back when it leaves."""
        self._owned.add(number)

    def owner_name(self, entry: Entry) -> str:
        """Return the name of the process that claimed the entry, "" where none is known to."""
        if entry.owner is None:
            return ""
        if entry.owner not in self._names:
            self._names[entry.owner] = str(self._store.entry(entry.owner).fact("name"))
        return self._names[entry.owner]

    def wake(self) -> None:
        """Read the store now: it has something new."""
        self._woken.set()

    def take_lost(self) -> list[str]:
        """Return the names of the processes found dead since the last call."""
        with self._changed:
            lost, self._lost = self._lost, []
        return lost

    def wait(self, after: int) -> Snapshot:
        """Return the first snapshot behind the one of this serial; raises what ended the thread."""
        with self._changed:
            while True:
                if self._error is not None:
                    raise self._error
                if self._lead_lost:
                    self._lead_lost = False
                    raise LeadLostError
                if self._snapshot.serial > after:
                    return self._snapshot
                self._changed.wait(1.0)

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                self._woken.clear()
                self._turn()
                self._woken.wait(_POLL)
        except BaseException as error:  # noqa: BLE001 - also Ctrl-C in a case: the waiter raises it
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _turn(self) -> None:
        entries = self._store.open_entries()
        if self._stopping.is_set():  # the storage took so long that this process has left
            return
        if time.monotonic() - self._last_beat >= self._interval:
            self._last_beat = time.monotonic()
            self._beats += 1
            if not self._store.beat(self.id, self._beats):
                self._rejoin()
        dead = self._reaper.reap(entries, self.id)
        with self._changed:
            self._lost += dead
        self._drop_withdrawn(entries)
        self._report_results()
        self._claim(entries)
        with self._changed:
            self._snapshot = Snapshot(self._snapshot.serial + 1, tuple(entries))
            self._changed.notify_all()

    def _rejoin(self) -> None:
        """Join anew after this process, perhaps suspended for a while, was taken for dead."""
        number = self._store.put("process", state="running", name=self.name)
        self._running.clear()  # others have the jobs now; what is under way is in the cache
        with self._changed:
            self.id = number
            self._lead_lost = bool(self._owned)
            self._owned.clear()
            self._lost.append(self.name)
            self._changed.notify_all()

    def _drop_withdrawn(self, entries: Sequence[Entry]) -> None:
        """Abandon the jobs that nobody waits for any more: their cases make no further calls."""
        for number in self._running.keys() - {entry.id for entry in entries}:
            self._running.pop(number).abandon()

    def _report_results(self) -> None:
        """Close the jobs that are finished, with their results."""
        for number, pending in list(self._running.items()):
            if not _is_done(pending):
                continue
            evaluation = pending.result()  # where it raises, the job is given back at the exit
            result = {
                "runs": [self.serialiser.dump_run(run) for run in evaluation.runs],
                "requests": [astuple(item) for item in pending.meter.requests],
                "over": bool(evaluation.over_budget),
            }
            scores = evaluation.scores().values()
            self._store.finish(number, sum(scores) / max(1, len(scores)), result=result)
            del self._running[number]
            self._woken.set()  # the next snapshot, without what is finished, comes at once

    def _claim(self, entries: Sequence[Entry]) -> None:
        """Claim jobs from this process's range of places; others' only when it has none itself."""
        waiting = [item for item in entries if item.kind == "job" and item.state == "waiting"]
        members = [item.id for item in entries if item.kind == "process"]
        mine = [
            item
            for item in waiting
            if members and members[int(item.place * len(members))] == self.id
        ]
        left = [item for item in waiting if item not in mine and item.id in self._passed]
        self._passed = {item.id for item in waiting}
        for entry in mine:
            if sum(len(pending.futures) for pending in self._running.values()) < self._capacity:
                self._take(entry)
        for entry in left:
            if not self._running:
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        if self._stopping.is_set() or not self._store.claim(entry.id, self.id):
            return
        job = job_of(entry.fact("job"))
        part = Ledger(Limits(job.limit)).part("a job", Amount(job.limit), stage=job.stage)
        if part is None:
            raise ValueError(f"a job can't have a limit of {job.limit}")
        rules = MeasuringRules(
            max_calls_per_case=job.max_calls_per_case,
            repeats=job.repeats,
            first_sample=job.first_sample,
            teacher=Teacher(**job.teacher) if job.teacher else None,
        )
        pending = self._evaluator.start(
            self.serialiser.load_prompts(job.prompts),
            [self.serialiser.cases[number] for number in job.cases],
            part,
            rules,
        )
        self._running[entry.id] = pending
        for future in pending.futures:
            future.add_done_callback(lambda _: self._woken.set() if _is_done(pending) else None)


def _is_done(pending: PendingEvaluation) -> bool:
    return all(future.done() for future in pending.futures)
