"""Count the uses of a holdout over all processes that share a storage, whoever of them led.

Each search's store holds the finalists that its leaders measured on the holdout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pytest_mipro.optimizer.run.study_run import Services
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

    def counted(self, services: Services) -> Services:
        """Return the services with the looks of earlier searches, which the lock may count, too."""
        if not (found := self._found()):
            return services
        shown, earlier = services.find_holdout_uses(found)
        return replace(services, finalists_shown=shown, earlier_holdout_uses=earlier)

    def keep(self) -> None:
        """Record what other machines measured on the holdout: this one's next search counts it."""
        for finalist in self._found():
            self.record(finalist)

    def add(self, finalist: str) -> Sequence[str]:
        """Record a finalist that is about to be measured, everywhere; return all uses by now."""
        self.keep()
        shown = self.record(finalist)
        self.store.set_attribute(_ATTRIBUTE, list(shown))
        return shown

    def _found(self) -> list[str]:
        stores = stores_of(self.store, self.study)
        return [each for store in stores for each in store.attributes.get(_ATTRIBUTE, ())]
