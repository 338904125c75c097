"""Count the uses of a holdout over all processes that share a storage, whoever of them led.

Each search's store holds the finalists that its leaders measured on the holdout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_mipro.optimizer.shared.compatibility import stores_of
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.optimizer.study.case import Study

_ATTRIBUTE = "looks"


@dataclass(frozen=True)
class SharedLooks:
    """The uses in the storage; `record` keeps one of them in this machine's own record."""

    store: CoordinationStore
    study: Study
    record: Callable[[str], Sequence[str]]

    def keep(self) -> None:
        """Record what other machines measured on the holdout: this one's next search counts it."""
        for store in stores_of(self.store, self.study):
            for finalist in store.attributes.get(_ATTRIBUTE, ()):
                self.record(finalist)

    def add(self, finalist: str) -> Sequence[str]:
        """Record a finalist that is about to be measured, everywhere; return all uses by now."""
        self.keep()
        shown = self.record(finalist)
        self.store.set_attribute(_ATTRIBUTE, list(shown))
        return shown
