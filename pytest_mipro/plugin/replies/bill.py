"""The bill of a study: a journal of its live calls, and the limits on what they may take.

A line before each call holds the most that it may take, a line after it what it took. A call
without a second line was cancelled, timed out or died with its run: it counts as spent. The bill
sums the runs of a study that was cut off. After a finished run the journal begins anew, with the
summary of that run and the sums of what was paid, unless another run goes on beside this one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Self, TextIO

import pytest

from pytest_mipro.errors import CacheError, MiproError, MissingKeyError, UnknownModelError
from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.limits import LimitUsedUpError, shortage
from pytest_mipro.optimizer.budget.meter import calling_stage
from pytest_mipro.optimizer.budget.spending import grouped
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.plugin.config.study_files import ensure_study_folder
from pytest_mipro.plugin.replies.journal import (
    billed,
    call_name,
    carried,
    last_summary,
    lines_of,
    paid,
    run_of,
    today,
    unfinished,
)
from pytest_mipro.plugin.replies.run_lock import RunLock
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.client.contract import Reply, Request, Usage
from pytest_mipro.runtime.client.live.retry import counting_lost_attempts
from pytest_mipro.runtime.client.prices import output_limit
from pytest_mipro.runtime.client.wrappers import ClientWrapper


class JournalBill:
    """The bill of one study, as a `with` block. Thread-safe.

    What is billed and what calls in flight may take never exceeds the limits less what `keep`
    keeps: a call that could exceed them is refused with LimitReachedError. Earlier runs count
    unless they finished.
    """

    def __init__(self, path: Path, limits: Limits, cost_model: CostModel, study: str = "") -> None:
        self._path = path
        self._study = study
        self.cost_model = cost_model
        self._lock = Lock()
        self._open: dict[int, Amount] = {}
        self._file: TextIO | None = None
        self._ledger = Ledger(limits)
        self._run = secrets.token_hex(4)
        self._ends = [self._run]
        self._next = 1
        self._overlong: dict[str, int] = {}
        self._held = RunLock(path.with_suffix(".lock"))

    def __enter__(self) -> Self:
        try:
            ensure_study_folder(self._path)
            self._begin_journal(self._held.take())
            self._held.share()
        except OSError as error:
            self._held.close()
            raise self._broken(error) from None
        except CacheError:
            self._held.close()
            raise
        return self

    def _begin_journal(self, alone: bool) -> None:
        """Open the journal; begin it anew where no other run goes on, and none was cut off."""
        lines = lines_of(self._path)
        earlier = unfinished(lines)
        self._ledger = Ledger(self._ledger.limits, billed(earlier))
        head = {"study": self._study, "before": last_summary(lines), "paid": carried(paid(lines))}
        known = {name: value for name, value in head.items() if value}
        anew = alone and not earlier
        if anew:  # in its place, as a plain run may have it open
            self._path.write_text(json.dumps(known) if known else "", encoding="utf-8")
        # Appended, as a plain run beside this one adds what it paid.
        self._file = self._path.open("a", encoding="utf-8")
        if known or not anew:
            self._file.write("\n")  # ends the first line, or half a line of a killed run
            self._file.flush()
        if alone:
            self._ends += sorted({run_of(line) or "" for line in earlier})

    def __exit__(self, *exception: object) -> None:
        self._close()
        self._held.close()

    def _close(self) -> None:
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                with suppress(OSError):  # of a full disk, which the line that it kept back told
                    file.close()

    @property
    def billed(self) -> Amount:
        """What was billed so far, calls in flight at their worst case."""
        return self._ledger.spent

    @property
    def settled(self) -> Amount:
        """What was billed so far, without the calls in flight."""
        return self._ledger.used

    def keep(self, amount: Amount) -> None:
        """Keep an amount for later calls; an empty one lifts what was kept."""
        self._ledger.held = amount.known

    def begin(self, request: Request) -> int:
        """Note a live call before it is made and return its number.

        Raises LimitReachedError if it could exceed a limit.
        """
        worst = self._worst(request)
        with self._lock:
            if not self._ledger.begin(worst.known):  # what is not known has no limit
                raise self._used_up("the next call", worst.known, request.model)
            number, self._next = self._next, self._next + 1
            self._open[number] = worst
            user = {"model": request.model, "module": calling_module()}
            when = {"day": today(), "stage": calling_stage()}
            self._write({"call": self._name(number), **when, **user, **asdict(worst)})
        return number

    def lose(self, number: int, again: bool) -> None:
        """Note that the answer to an attempt of the call was lost: the attempt counts as spent.

        `again` tells that another one follows; raises LimitReachedError if it could exceed a limit.
        """
        with self._lock:
            worst = self._open[number]
            lost = worst.known
            self._ledger.end(lost, lost)
            self._write({"lost": self._name(number), **asdict(worst)})
            if not (again and self._ledger.begin(lost)):
                del self._open[number]  # no other attempt is made
                self._write({"took": self._name(number), **asdict(Amount())})
                if again:
                    raise self._used_up("another attempt", lost)

    def end(self, number: int, took: Amount) -> None:
        """Note what a call took; nothing more if its last attempt was lost."""
        with self._lock:
            worst = self._open.pop(number, None)
            if worst is not None:
                self._ledger.end(worst.known, took)
                self._write({"took": self._name(number), **asdict(took)})

    def finish(self, result: StudyResult, planned: Mapping[str, int]) -> None:
        """Note that the study has finished: the next run begins a new bill.

        `planned` are the sizes of its stages, for the forecast of a run of another size.
        """
        stages = grouped(result.spending, lambda entry: entry.stage)
        summary = {
            "finished": True,
            "runs": self._ends,
            "cut_short": result.cut_short,
            "rows": result.before.rows,
            "modules": len(result.signatures),
            "models": sorted({entry.model for entry in result.spending if entry.model}),
            "planned": dict(planned),
            "stages": {name: asdict(amount) for name, amount in stages.items()},
        }
        self._end(summary)

    def leave(self) -> None:
        """Note that another process finished the study: the next run begins a new bill."""
        self._end({"finished": True, "runs": self._ends, "cut_short": True})

    def _end(self, line: Mapping[str, Any]) -> None:
        with self._lock:
            self._write(line)
        self._close()  # the limits go on to hold: fixtures may call models in their teardown

    def took(self, request: Request, reply: Reply) -> Amount:
        """Return what a call took by its reply, its worst case if the reply doesn't say."""
        allowed, written = output_limit(request.parameters), reply.usage.completion_tokens
        if allowed is not None and written > allowed:
            with self._lock:
                known = self._overlong.get(request.model, 0)
                self._overlong[request.model] = max(known, written)
        return self.cost_model.took(request, reply)

    def _worst(self, request: Request) -> Amount:
        """Return what a request may take; a model that ignores its limit counts at its longest."""
        worst, allowed = self.cost_model.most(request), output_limit(request.parameters)
        longer = self._overlong.get(request.model, 0) - (allowed or 0)
        if not self.cost_model.limits.by_worst_case or longer <= 0:
            return worst
        return worst + self.cost_model.amount(request.model, Usage(0, longer), calls=0)

    def _name(self, number: int) -> str:
        return call_name(self._run, number)

    def _used_up(self, what: str, more: Amount, model: str = "") -> LimitUsedUpError:
        ledger = self._ledger
        short = shortage(ledger.limits, ledger.spent + ledger.held, more)
        if short is None:
            raise ValueError(f"{more} fits, and was refused")
        why = f": {what} could exceed it"
        if model in self._overlong and short.limit.currency != "calls":
            why += f", as {model} writes more than its max_tokens"
        return LimitUsedUpError(short.limit, why)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            return  # the study has ended: a call that outlives it stays at its worst case
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._broken(error) from None

    def _broken(self, error: OSError) -> CacheError:
        return CacheError(
            f"{self._path}: the journal of what is paid can't be written ({error.strerror}); make "
            "room, or correct its permissions"
        )


BILLS = pytest.StashKey[Callable[[Path], JournalBill]]()
"""Returns the bill of a lock's study, in an optimisation."""
_bill: ContextVar[JournalBill | None] = ContextVar("mipro_bill", default=None)


@contextmanager
def billing(bill: JournalBill | None) -> Iterator[None]:
    """Count the live calls of this context, and of tasks and threads begun in it, by the bill.

    None: nothing counts them.
    """
    token = _bill.set(bill)
    try:
        yield
    finally:
        _bill.reset(token)


class BilledClient(ClientWrapper):
    """Bills live calls: it stands inside the cache, so what reaches it is live."""

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply; raises LimitReachedError if a limit is reached."""
        bill = _bill.get()
        if bill is None:
            return await super().complete(request)
        number = bill.begin(request)
        try:
            with counting_lost_attempts(partial(bill.lose, number)):
                reply = await super().complete(request)  # cancelled, it stays at its worst
        except (MissingKeyError, UnknownModelError):
            bill.end(number, Amount())  # no model got it
            raise
        except MiproError:  # endpoints charge nothing for a refusal
            bill.end(number, Amount(1))
            raise
        bill.end(number, bill.took(request, reply))
        return reply
