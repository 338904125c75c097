"""Refuse to share a study with processes of another project: scores would mix the two."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.optimizer.shared.heartbeat import heartbeat_interval
from pytest_mipro.optimizer.shared.worker import Membership
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.settings import OptimizerSettings

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


_ATTRIBUTE = "agreement"
_PREFIX = "pytest-mipro {} "  # of the names of a study's stores
# A living process shows itself within this number of heartbeats.
_HEARTBEATS = 2.5


def join_compatible(
    storage: BaseStorage, membership: Membership, study: Study, settings: OptimizerSettings
) -> CoordinationStore:
    """Return the store of all processes that agree on study, settings and project."""
    chosen = {name: value for name, value in asdict(settings).items() if name != "concurrency"}
    chosen["parts"] = sorted(settings.parts)
    parts = {
        "cases": [
            [case.id, case.row, case.test, case.split, case.demo, case.cluster, case.digest]
            for case in study.cases
        ],
        "mark arguments": {name: asdict(test) for name, test in sorted(study.tests.items())},
        "options": chosen,
        **membership.project,
    }
    fingerprint = {name: _digest(value) for name, value in parts.items()}
    name = f"{_PREFIX.format(study.name)}{_digest(fingerprint)}"
    store = CoordinationStore(storage, membership.url, name)
    store.set_attribute(_ATTRIBUTE, fingerprint)
    return store


def refuse_incompatible(store: CoordinationStore, study: Study, timeout: float) -> None:
    """Raise ConfigurationError where a living process optimises the same study of another project.

    Takes a few seconds where such a process died without leaving, else no time.
    """
    fingerprint = store.attributes[_ATTRIBUTE]
    for other in store.siblings(_PREFIX.format(study.name)):
        if _lives(other, timeout):
            theirs = other.attributes.get(_ATTRIBUTE, {})
            names = [name for name in fingerprint if fingerprint[name] != theirs.get(name)]
            raise ConfigurationError(
                f"another process shares study {study.name} in this storage and differs in "
                f"{', '.join(names)}; run the same commit with the same options on all machines, "
                "or give each its own storage"
            )


def _lives(store: CoordinationStore, timeout: float) -> bool:
    def heartbeats() -> set[tuple[int, int]]:
        entries = store.open_entries()
        return {(item.id, item.heartbeat) for item in entries if item.kind == "process"}

    before = heartbeats()
    deadline = time.monotonic() + _HEARTBEATS * heartbeat_interval(timeout)
    while before and time.monotonic() < deadline:
        time.sleep(heartbeat_interval(timeout) / 4)
        if heartbeats() - before:
            return True
    return False


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
