"""Keep a copy of the search as an Optuna study, which `optuna-dashboard` opens while it runs.

It is a journal in `.mipro/optuna/`, made anew by each run of the study; nothing reads it back. Of
several runs at once, the first keeps it.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.run.events import CandidatesReady, Event, LeadTaken, TrialFinished
from pytest_mipro.plugin.config.study_files import ensure_study_folder
from pytest_mipro.runtime.text.files import file_lock

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


class OptunaJournal:
    """Adds each finished trial to the journal until it is closed.

    A parameter is the index of the instruction or demo set that a module has; 0 is the committed
    one. The value is the trial's estimate (0…1). In a shared study only the leader keeps a journal.
    """

    def __init__(self, path: Path, study: str) -> None:
        self.path = path
        self._name = study
        self._parameters: tuple[tuple[str, int], ...] = ()  # with the number of their choices
        self._resources = ExitStack()
        self._storage: BaseStorage | None = None
        self._study = 0

    def open(self) -> None:
        """Begin the journal anew, unless another run in this folder keeps it.

        Raises StorageError where it can't be written.
        """
        from optuna.study import StudyDirection  # noqa: PLC0415 - slow

        from pytest_mipro.optimizer.shared.storage import (  # noqa: PLC0415 - slow
            opened_storage,
            storage_errors,
        )

        url = f"journal:{self.path}"
        with storage_errors(url):
            ensure_study_folder(self.path)
            self.close()
            try:
                self._resources.enter_context(file_lock(self.path.with_suffix(".lock"), 0))
            except TimeoutError:
                return
            self.path.unlink(missing_ok=True)
        self._storage = self._resources.enter_context(opened_storage(url))
        with storage_errors(url):
            self._study = self._storage.create_new_study([StudyDirection.MAXIMIZE], self._name)

    def close(self) -> None:
        """Close the journal, if it was opened."""
        self._storage = None
        self._resources.close()

    def __call__(self, event: Event) -> None:
        """Note what a round has to choose from, and add a trial."""
        match event:
            case LeadTaken(mine=True):
                self.open()
            case CandidatesReady():
                self._parameters = tuple(
                    parameter
                    for module, instructions in event.instructions.items()
                    for parameter in (
                        (f"{module} instruction", instructions),
                        (f"{module} demos", event.demo_sets[module]),
                    )
                )
            case TrialFinished() if self._storage is not None:
                self._add(self._storage, event)

    def _add(self, storage: BaseStorage, event: TrialFinished) -> None:
        """Add a trial; where that fails, the journal ends, and the study goes on without it."""
        try:
            storage.create_new_trial(self._study, template_trial=self._trial(event))
        except Exception as error:  # noqa: BLE001 - optuna's many, where the file is another's
            self._storage = None
            if isinstance(error.__context__, KeyboardInterrupt):  # Ctrl-C in the file's lock
                raise error.__context__ from None

    def _trial(self, event: TrialFinished) -> FrozenTrial:
        from optuna.distributions import IntDistribution  # noqa: PLC0415 - slow
        from optuna.trial import TrialState, create_trial  # noqa: PLC0415 - slow

        chosen = dict(zip(self._parameters, event.assignment, strict=True))
        lost = event.estimate is None
        return create_trial(
            state=TrialState.PRUNED if lost else TrialState.COMPLETE,
            value=event.estimate,
            params={name: choice for (name, _), choice in chosen.items()},
            # Rounds add choices, which Optuna allows a range of numbers, but no categories.
            distributions={name: IntDistribution(0, size - 1) for name, size in self._parameters},
            user_attrs={
                "trial": event.number,
                "round": event.round,
                "kind": event.kind,
                "rows": event.rows,
                "calls": event.calls,
                "best": event.best,
                "ended early": event.dropped,
            },
        )
