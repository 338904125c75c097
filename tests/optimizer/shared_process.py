"""One process of a shared study, run in a thread: its client, what it is told, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optimizer_world import Played, make_services, make_settings, make_study
from world_model import WorldClient

from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.shared.leader_lease import DecidedElsewhere
from pytest_mipro.optimizer.shared.optimize_shared import optimize_shared
from pytest_mipro.optimizer.shared.worker import Membership
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.runtime.client.contract import Reply, Request

ROOT = Path(__file__).parent


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


def same(result: StudyResult, alone: Played) -> None:
    """Check that the result is the one of a run alone."""
    names = ("prompts", "decision", "reason", "finalist", "before", "after", "trials", "calls")
    for name in (*names, "deciding_before", "deciding_after", "ended", "split", "models"):
        assert getattr(result, name) == getattr(alone.result, name), name


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
