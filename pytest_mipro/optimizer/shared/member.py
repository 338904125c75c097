"""A process's part in a shared study: it gives signs of life, runs jobs and closes dead entries."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Self

from pytest_mipro.errors import MiproError, StorageError
from pytest_mipro.optimizer.budget.budget import Budget, LogicalLedger
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.evaluate import Evaluator, MeasuringRules
from pytest_mipro.optimizer.shared.census import Census, beat_of
from pytest_mipro.optimizer.shared.jobs import job_of, prompts_of, teacher_of
from pytest_mipro.optimizer.shared.transcripts import Transcripts
from pytest_mipro.optimizer.study.amount import Amount, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.measuring.evaluate import PendingEvaluation
    from pytest_mipro.optimizer.shared.board import Board, Entry
    from pytest_mipro.optimizer.study.case import Study
    from pytest_mipro.optimizer.study.runs import Evaluation
    from pytest_mipro.runtime.client.contract import LMClient

_POLL = 0.2  # seconds between two looks at the board
_LEAVING = 2.0  # seconds for the thread to end; a storage that hangs may take for ever


class LeadLostError(MiproError):
    """The process that led was counted as dead meanwhile: another one leads now."""


class EveryRequest(LogicalLedger):
    """A ledger to which every request is new: which ones are new to the study, its leader knows."""

    def known(self, digest: str, mark: int) -> bool:
        """Return False."""
        del digest, mark
        return False


@dataclass(frozen=True)
class Crew:
    """What a member works with. `name` tells it from the others, `root` is the project's folder.

    `room` is how many case runs it takes at once, `case_timeout` the seconds of a case; after
    `patience` seconds without a sign of life a process counts as dead.
    """

    name: str
    root: Path
    room: int
    patience: float
    case_timeout: float | None = None


@dataclass(frozen=True)
class Look:
    """What the board's open entries were at one look; `serial` counts the looks."""

    serial: int
    entries: tuple[Entry, ...]


class Member:
    """One process among those that share a study, as a `with` block; behind it, it has left.

    All it does runs in a thread of its own, so that it lives and works while it waits for others.
    What ends the thread is raised by `wait` and `check`, and LeadLostError, once.
    """

    def __init__(self, board: Board, study: Study, client: LMClient, crew: Crew) -> None:
        self._board = board
        self.crew = crew
        self._ledger = EveryRequest()
        accounting = Accounting(self._ledger)
        self._evaluator = Evaluator(
            study, client, accounting, concurrency=crew.room, case_timeout=crew.case_timeout
        )
        self.transcripts = Transcripts(study.cases, crew.root)
        self._census = Census(crew.patience)
        self._thread = threading.Thread(target=self._work, name="mipro-member", daemon=True)
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._changed = threading.Condition()
        self._look = Look(0, ())
        self._error: BaseException | None = None
        self._running: dict[int, PendingEvaluation] = {}
        self._names: dict[int, str] = {}
        self._lost: list[str] = []
        self._beats = 0
        self._beaten = time.monotonic()
        self._owned: set[int] = set()
        self._orphans: set[int] = set()
        self._passed: set[int] = set()
        self._lead_lost = False
        self.id = -1

    def __enter__(self) -> Self:
        self.id = self._board.put("process", state="running", name=self.crew.name)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """Give back what is claimed, so that nobody has to wait for the patience to end."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(_LEAVING)
        # As in `optimize`: cases would run on while their fixtures are torn down. Ctrl-C waits not.
        self._evaluator.close(wait=kind is not None and issubclass(kind, MiproError))
        with suppress(StorageError):  # then the others wait for the patience to end
            for number in (*self._running, *self._owned):
                self._board.fail(number)
            self._board.finish(self.id)

    def own(self, number: int) -> None:
        """Note an entry that was claimed for this process, to be given back when it leaves."""
        self._owned.add(number)

    def name_of(self, entry: Entry) -> str:
        """Return the name of the process that claimed the entry, "" where nobody is known to."""
        owner = entry.owner
        if owner is None:
            return ""
        if owner not in self._names:
            self._names[owner] = str(self._board.entry(owner).fact("name"))
        return self._names[owner]

    def wake(self) -> None:
        """Have the board looked at now: there is something new on it."""
        self._woken.set()

    def lost(self) -> list[str]:
        """Return the names of the processes found dead since this was asked last."""
        with self._changed:
            lost, self._lost = self._lost, []
        return lost

    def check(self) -> Look:
        """Return the last look; raises what ended the member."""
        with self._changed:
            return self._checked()

    def wait(self, after: int) -> Look:
        """Wait for a look behind the one of this serial; raises what ended the member."""
        with self._changed:
            while self._checked().serial <= after:
                self._changed.wait(1.0)
            return self._look

    def _checked(self) -> Look:
        if self._error is not None:
            raise self._error
        if self._lead_lost:
            self._lead_lost = False
            raise LeadLostError
        return self._look

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                self._woken.clear()
                self._turn()
                self._woken.wait(_POLL)
        except BaseException as error:  # noqa: BLE001 - also Ctrl-C in a case: the waiter's to raise
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _turn(self) -> None:
        entries = self._board.open_entries()
        self._beat()
        self._bury(entries)
        self._tell()
        self._claim(entries)
        with self._changed:
            self._look = Look(self._look.serial + 1, tuple(entries))
            self._changed.notify_all()

    def _beat(self) -> None:
        if time.monotonic() - self._beaten < beat_of(self.crew.patience):
            return
        self._beaten = time.monotonic()
        self._beats += 1
        if not self._board.beat(self.id, self._beats):
            self._join_again()

    def _join_again(self) -> None:
        """Begin anew after the others took this process, which may have slept, for dead."""
        number = self._board.put("process", state="running", name=self.crew.name)
        self._running.clear()  # others have the jobs now; what is under way is in the cache
        with self._changed:
            self.id = number
            self._lead_lost = bool(self._owned)
            self._owned.clear()
            self._lost.append(self.crew.name)
            self._changed.notify_all()

    def _bury(self, entries: Sequence[Entry]) -> None:
        """Close the entries of processes that are dead; what they had claimed is free again."""
        self._census.begin_round()
        living = set()
        for entry in entries:
            if entry.kind != "process":
                continue
            if entry.id != self.id and self._census.silent(entry.id, entry.beat):
                if self._board.fail(entry.id):
                    with self._changed:
                        self._lost.append(str(entry.fact("name")))
            else:
                living.add(entry.id)
        claimed = [item for item in entries if item.state == "running" and item.kind != "process"]
        orphans = set()
        for entry in claimed:
            if entry.owner is None:  # the claimer is about to note itself, or died before it did
                if self._census.silent(entry.id, None):
                    self._board.fail(entry.id)
            elif entry.owner not in living:
                orphans.add(entry.id)
        # Seen twice: in one look a claim may be read that is younger than the claimer's entry.
        for number in orphans & self._orphans:
            self._board.fail(number)
        self._orphans = orphans

    def _tell(self) -> None:
        """Tell the results of the jobs that are finished."""
        for number, pending in list(self._running.items()):
            if not all(future.done() for future in pending.futures):
                continue
            evaluation = pending.result()  # where the world broke it, the job stays ours to return
            result = {
                "runs": [self.transcripts.write(run) for run in evaluation.runs],
                "requests": [astuple(item) for item in pending.meter.requests],
                "over": bool(evaluation.over_budget),
            }
            self._board.finish(number, _mean(evaluation), result=result)
            del self._running[number]

    def _wake_behind(self, pending: PendingEvaluation) -> None:
        if all(future.done() for future in pending.futures):
            self._woken.set()

    def _claim(self, entries: Sequence[Entry]) -> None:
        """Take jobs of the own neighbourhood while there is room; of others, what they leave."""
        waiting = [item for item in entries if item.kind == "job" and item.state == "waiting"]
        members = [item.id for item in entries if item.kind == "process"]
        mine = [item for item in waiting if self._is_neighbour(item, members)]
        left = [item for item in waiting if item not in mine and item.id in self._passed]
        self._passed = {item.id for item in waiting}
        for entry in mine:
            if sum(len(pending.futures) for pending in self._running.values()) >= self.crew.room:
                return
            self._take(entry)
        for entry in left:
            if self._running:
                return
            self._take(entry)

    def _is_neighbour(self, entry: Entry, members: Sequence[int]) -> bool:
        return bool(members) and members[int(entry.place * len(members))] == self.id

    def _take(self, entry: Entry) -> None:
        if self._board.claim(entry.id, self.id):
            self._start(entry)

    def _start(self, entry: Entry) -> None:
        job = job_of(entry.fact("job"))
        reservation = Budget(Limits(job.limit)).reserve(Amount(job.limit), "a job")
        if reservation is None:
            raise ValueError(f"a job can't have a limit of {job.limit}")
        pending = self._evaluator.start(
            prompts_of(job.prompts, self.crew.root),
            [self.transcripts.case(number) for number in job.cases],
            reservation,
            MeasuringRules(
                max_calls_per_case=job.max_calls_per_case,
                repeats=job.repeats,
                first_sample=job.first_sample,
                teacher=teacher_of(job),
            ),
        )
        self._running[entry.id] = pending
        for future in pending.futures:
            future.add_done_callback(lambda _: self._wake_behind(pending))


def _mean(evaluation: Evaluation) -> float:
    scores = evaluation.scores().values()
    return sum(scores) / len(scores) if scores else 0.0
