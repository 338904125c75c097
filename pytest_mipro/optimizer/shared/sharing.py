"""The path of one process in a study that several share: join, work, lead when it is its turn."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.run.events import LeadTaken, ProcessLost
from pytest_mipro.optimizer.shared.agreement import agreement_of, joined_board, refuse_others
from pytest_mipro.optimizer.shared.evaluating import SharedEvaluator
from pytest_mipro.optimizer.shared.lease import DecidedElsewhere, Lease
from pytest_mipro.optimizer.shared.member import Crew, LeadLostError, Member
from pytest_mipro.optimizer.shared.replies import KeptReplies
from pytest_mipro.optimizer.shared.storage import opened_storage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_mipro.optimizer.budget.meter import Accounting
    from pytest_mipro.optimizer.run.result import StudyResult
    from pytest_mipro.optimizer.run.study_run import Services
    from pytest_mipro.optimizer.shared.board import Board
    from pytest_mipro.optimizer.study.case import Study
    from pytest_mipro.optimizer.study.settings import OptimizerSettings


@dataclass(frozen=True)
class Sharing:
    """Where and as whom a process joins a study.

    `process` names it, as host and process id; paths on the board are relative to `root`; after
    `patience` seconds without a sign of life a process counts as dead; `project` holds what the
    processes must have in common beside the study and the settings, by name.
    """

    url: str
    process: str
    root: Path
    patience: float
    project: Mapping[str, Any]


def optimize_shared(
    study: Study, services: Services, settings: OptimizerSettings, sharing: Sharing
) -> StudyResult | DecidedElsewhere:
    """Optimise a study together with other processes.

    Returns the result in the process that decided, which alone may write; in the others who that
    was. Raises StorageError where the storage fails, ConfigurationError where the processes differ,
    and what `optimize` raises; then the others go on without this one.
    """
    agreement = agreement_of(study, settings, sharing.project)
    with opened_storage(sharing.url) as storage:
        board = joined_board(storage, sharing.url, study, agreement)
        crew = Crew(
            name=sharing.process,
            root=sharing.root,
            room=settings.concurrency,
            patience=sharing.patience,
            case_timeout=settings.case_timeout,
        )
        with Member(board, study, services.client, crew) as member:
            refuse_others(board, study, agreement, sharing.patience)
            lease = Lease(board, member)
            while True:
                with suppress(LeadLostError):
                    decided = _work(study, services, member, lease)
                    if decided is not None:
                        return decided
                    leading = _leading(study, services, board, member)
                    result = optimize(study, leading, settings)
                    lease.decide(result.reason, better=bool(result.prompts))
                    return result
                lease.lose()


def _work(
    study: Study, services: Services, member: Member, lease: Lease
) -> DecidedElsewhere | None:
    """Work until another process has decided; None: it is this one's turn to lead."""
    leader, serial = "", 0
    while True:
        look = member.wait(serial)
        serial = look.serial
        for name in member.lost():
            services.emit(ProcessLost(study.name, name))
        decided = lease.step(look.entries)
        if decided is not None:
            return decided
        if lease.mine is not None:
            services.emit(LeadTaken(study.name, lease.leader, mine=True))
            return None
        if lease.leader not in ("", leader):
            leader = lease.leader
            services.emit(LeadTaken(study.name, leader, mine=False))


def _leading(study: Study, services: Services, board: Board, member: Member) -> Services:
    """Return the services of the process that leads: evaluations and proposals go by the board."""

    def evaluating(accounting: Accounting) -> SharedEvaluator:
        return SharedEvaluator(study, board, member, accounting, services.emit)

    client = KeptReplies(services.client, board)
    return replace(services, client=client, evaluating=evaluating)
