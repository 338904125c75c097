"""`optimize_shared`: one process joins a shared study, runs jobs, and leads when it is its turn."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.run.events import LeadTaken, ProcessLost
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.run.study_run import Services
from pytest_mipro.optimizer.shared.compatibility import join_compatible, refuse_incompatible
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.optimizer.shared.leader_lease import DecidedElsewhere, LeaderLease
from pytest_mipro.optimizer.shared.proposal_replies import SharedReplies
from pytest_mipro.optimizer.shared.shared_evaluator import SharedEvaluator
from pytest_mipro.optimizer.shared.storage import opened_storage
from pytest_mipro.optimizer.shared.worker import LeadLostError, Membership, Worker
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.settings import OptimizerSettings


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
            lease = LeaderLease(store, worker)
            while True:
                with suppress(LeadLostError):
                    decided = _work(study, services, worker, lease)
                    if decided is not None:
                        return decided
                    leading = _leader_services(study, services, store, worker)
                    result = optimize(study, leading, settings)
                    lease.decide(result.reason, better=bool(result.prompts))
                    return result
                lease.lose()


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


def _leader_services(
    study: Study, services: Services, store: CoordinationStore, worker: Worker
) -> Services:
    """Return services whose evaluations run as jobs, and whose proposals the next leader finds."""

    def evaluating(accounting: Accounting) -> SharedEvaluator:
        return SharedEvaluator(study, store, worker, accounting, services.emit)

    client = SharedReplies(services.client, store)
    return replace(services, client=client, evaluating=evaluating)
