"""Refuse to share a study with processes of another project: scores would mix the two."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.optimizer.shared.heartbeat import heartbeat_interval
from pytest_mipro.optimizer.shared.worker import Membership
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.fingerprint import digest_of_json, fingerprint_of
from pytest_mipro.optimizer.study.settings import OptimizerSettings

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


_ATTRIBUTE = "agreement"
# A living process shows itself within this number of heartbeats.
_HEARTBEATS = 2.5


def join_compatible(
    storage: BaseStorage, membership: Membership, study: Study, settings: OptimizerSettings
) -> CoordinationStore:
    """Return the store of all processes that agree on study, settings and project."""
    fingerprint = fingerprint_of(study, settings, membership.project)
    name = f"{_prefix(study)}{digest_of_json(fingerprint)}"
    store = CoordinationStore(storage, membership.url, name)
    store.set_attribute(_ATTRIBUTE, fingerprint)
    return store


def stores_of(store: CoordinationStore, study: Study) -> list[CoordinationStore]:
    """Return the stores of all searches of the study, this one's last."""
    return [*store.siblings(_prefix(study)), store]


def refuse_incompatible(store: CoordinationStore, study: Study, timeout: float) -> None:
    """Raise ConfigurationError where a living process optimises the same study of another project.

    Takes a few seconds where such a process died without leaving, else no time.
    """
    fingerprint = store.attributes[_ATTRIBUTE]
    for other in store.siblings(_prefix(study)):
        if _lives(other, timeout):
            theirs = other.attributes.get(_ATTRIBUTE, {})
            names = [name for name in fingerprint if fingerprint[name] != theirs.get(name)]
            raise ConfigurationError(
                f"another process shares study {study.name} in this storage and differs in "
                f"{', '.join(names)}; run the same commit with the same options on all machines, "
                "or give each its own storage"
            )


def _prefix(study: Study) -> str:
    """Return how the names of the study's stores begin, in ASCII: a database may hold no more."""
    return f"pytest-mipro {study.name.encode('ascii', 'backslashreplace').decode()} "


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
