"""`optimize_shared`: one process joins a shared study, runs jobs, and leads when it is its turn.

The leader alone proposes and decides. It holds a lease, and stores the replies to its proposals: a
new leader then proposes the same. Replies of cases are not stored, only their results.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial

from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.run.events import LeadTaken, ProcessLost
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.run.study_run import Services
from pytest_mipro.optimizer.shared.compatibility import join_compatible, refuse_incompatible
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.optimizer.shared.leader_lease import DecidedElsewhere, LeaderLease
from pytest_mipro.optimizer.shared.shared_evaluator import SharedEvaluator
from pytest_mipro.optimizer.shared.shared_looks import SharedLooks
from pytest_mipro.optimizer.shared.storage import opened_storage
from pytest_mipro.optimizer.shared.worker import LeadLostError, Membership, Worker
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request, Usage
from pytest_mipro.runtime.client.wrappers import ClientWrapper


def optimize_shared(
    study: Study, services: Services, settings: OptimizerSettings, membership: Membership
) -> StudyResult | DecidedElsewhere:
    """Optimise a study together with other processes.

    Returns the result in the process that decided, which alone may write; in the others, who that
    was. Raises StorageError where the storage fails, ConfigurationError where the processes differ,
    and what `optimize` raises; then the others go on without this one.
    """
    with opened_storage(membership.url) as storage:
        store = join_compatible(storage, membership, study, settings)
        with Worker(store, study, services.client, membership, settings) as worker:
            refuse_incompatible(store, study, membership.timeout)
            looks = SharedLooks(store, study, services.record_holdout_use)
            services = looks.counted(services)
            while True:
                with suppress(LeadLostError):
                    lease = LeaderLease(store, worker)
                    decided = _work(study, services, worker, lease)
                    if decided is not None:
                        looks.keep()
                        return decided
                    leading = replace(
                        services,
                        client=SharedReplies(services.client, store),
                        record_holdout_use=looks.add,
                        evaluating=partial(
                            SharedEvaluator, study, store, worker, emit=services.emit
                        ),
                    )
                    result = optimize(study, leading, settings)
                    lease.decide(result.reason, better=bool(result.prompts))
                    return result


def _work(
    study: Study, services: Services, worker: Worker, lease: LeaderLease
) -> DecidedElsewhere | None:
    """Work until another process has decided; None: it is this one's turn to lead."""
    leader, serial = "", 0
    while True:
        snapshot = worker.wait(serial)
        serial = snapshot.serial
        for name in worker.take_lost():
            services.emit(ProcessLost(study.name, name))
        decided = lease.step(snapshot.entries)
        if decided is not None:
            return decided
        if lease.held:
            services.emit(LeadTaken(study.name, lease.leader, mine=True))
            return None
        if lease.leader not in ("", leader):
            leader = lease.leader
            services.emit(LeadTaken(study.name, leader, mine=False))


class SharedReplies(ClientWrapper):
    """A client that stores its replies, and finds those that were stored before."""

    def __init__(self, inner: LMClient, store: CoordinationStore) -> None:
        super().__init__(inner)
        self._store = store
        self._known = {}
        for entry in store.done():
            if entry.kind == "reply":
                data = entry.fact("reply")
                data |= {"usage": Usage(**data["usage"]), "cached": True}
                self._known[entry.key] = Reply(**data)

    async def complete(self, request: Request) -> Reply:
        """Return the stored reply, else the inner client's."""
        stored = self.lookup(request)
        if stored is not None:
            return stored
        reply = await self._inner.complete(request)
        await asyncio.to_thread(
            self._store.put, "reply", request.digest(), state="done", reply=asdict(reply)
        )
        return reply

    def lookup(self, request: Request) -> Reply | None:
        """Return the stored reply, without waiting."""
        return self._known.get(request.digest())
