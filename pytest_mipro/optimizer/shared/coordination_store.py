"""The entries that processes coordinate by: heartbeats, leases, jobs and replies.

Each entry is a trial of one optuna study. It waits, is claimed by exactly one process, and is then
done or has failed. Optuna's storages make the step from waiting to running atomic: everything that
processes agree on rests on it.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from pytest_mipro.errors import StorageError
from pytest_mipro.optimizer.shared.storage import deletion_command, storage_errors

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


Kind = Literal["process", "lease", "job", "reply"]
State = Literal["waiting", "running", "done", "failed"]

_STATES: Mapping[State, TrialState] = {
    "waiting": TrialState.WAITING,
    "running": TrialState.RUNNING,
    "done": TrialState.COMPLETE,
    "failed": TrialState.FAIL,
}
_NAMES = {state: name for name, state in _STATES.items()}
# MySQL keeps 65,535 bytes of an attribute.
_PIECE = 60_000


@dataclass(frozen=True)
class Entry:
    """An entry as it was read. `owner` is the process entry of who claimed it, None before.

    `place` (0…1) orders jobs by their rows, `heartbeat` changes while a process lives; `facts` are
    compressed JSON values, read by `Entry.fact`; `deletion` is the command that deletes the study.
    """

    id: int
    state: State
    kind: Kind
    key: str = ""
    place: float = 0.0
    owner: int | None = None
    heartbeat: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    deletion: str = ""

    def fact(self, name: str) -> Any:
        """Return the JSON value stored under a name, None where there is none."""
        pieces: list[str] = []
        while (piece := self.facts.get(f"{name}.{len(pieces)}")) is not None:
            pieces.append(piece)
        if not pieces:
            return None
        try:
            return json.loads(zlib.decompress(base64.b64decode("".join(pieces), validate=True)))
        except (ValueError, zlib.error, RecursionError):
            raise StorageError(
                "the storage holds an entry that is not pytest-mipro's; use another database, or "
                f"delete the study: `{self.deletion}`"
            ) from None


class CoordinationStore:
    """The entries of one study. Thread-safe. Raises StorageError where the storage fails."""

    def __init__(self, storage: BaseStorage, url: str, name: str) -> None:
        self._storage = storage
        self._url = url
        self._deletion = deletion_command(url, name)
        with storage_errors(url):
            try:
                self._study = storage.create_new_study([StudyDirection.MAXIMIZE], name)
            except optuna.exceptions.DuplicatedStudyError:
                self._study = storage.get_study_id_from_name(name)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """JSON values about the study as a whole, by name."""
        with storage_errors(self._url):
            return dict(self._storage.get_study_user_attrs(self._study))

    def set_attribute(self, name: str, value: Any) -> None:
        """Store a JSON value about the study as a whole."""
        with storage_errors(self._url):
            self._storage.set_study_user_attr(self._study, name, value)

    def siblings(self, prefix: str) -> list[CoordinationStore]:
        """Return the storage's other studies whose names begin with `prefix`."""
        with storage_errors(self._url):
            studies = self._storage.get_all_studies()
        return [
            CoordinationStore(self._storage, self._url, item.study_name)
            for item in studies
            if item._study_id != self._study and item.study_name.startswith(prefix)  # noqa: SLF001
        ]

    def open_entries(self) -> list[Entry]:
        """Return the entries that wait or run, oldest first."""
        return self._entries("waiting", "running")

    def done(self) -> list[Entry]:
        """Return the entries that are done, oldest first."""
        return self._entries("done")

    def entry(self, number: int) -> Entry:
        """Return an entry as it is now."""
        with storage_errors(self._url):
            return _entry(self._storage.get_trial(number), self._deletion)

    def put(
        self,
        kind: Kind,
        key: str = "",
        *,
        place: float = 0.0,
        state: State = "waiting",
        **facts: Any,
    ) -> int:
        """Add an entry and return its id."""
        trial = create_trial(
            state=_STATES[state],
            value=0.0 if state == "done" else None,
            user_attrs={"kind": kind, "key": key, "place": place, **_packed(facts)},
        )
        with storage_errors(self._url):
            return self._storage.create_new_trial(self._study, template_trial=trial)

    def claim(self, number: int, owner: int) -> bool:
        """Claim a waiting entry for the process `owner`; False: another process was faster."""
        claimed = self._changed(number, {}, "running")
        return claimed and self._changed(number, {"owner": owner})

    def beat(self, number: int, count: int) -> bool:
        """Write a heartbeat; False: the entry is closed, so others count the process as dead."""
        return self._changed(number, {"beat": count})

    def finish(self, number: int, value: float = 0.0, **facts: Any) -> bool:
        """Close a running entry as done; False: it was closed before, and nothing changes."""
        return self._changed(number, _packed(facts), "done", value)

    def fail(self, number: int) -> bool:
        """Close an entry as failed; False: it was closed before."""
        return self._changed(number, {}, "failed")

    def _changed(
        self,
        number: int,
        attributes: Mapping[str, Any],
        state: State | None = None,
        value: float | None = None,
    ) -> bool:
        """Set attributes of an entry, then its state; return False where that can't be done."""
        values = None if value is None else [value]
        try:
            with storage_errors(self._url):
                for name, content in attributes.items():
                    self._storage.set_trial_user_attr(number, name, content)
                if state is None:
                    return True
                return self._storage.set_trial_state_values(number, _STATES[state], values)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def _entries(self, *states: State) -> list[Entry]:
        wanted = [_STATES[state] for state in states]
        with storage_errors(self._url):
            trials = self._storage.get_all_trials(self._study, deepcopy=False, states=wanted)
        return sorted(
            (_entry(trial, self._deletion) for trial in trials), key=lambda entry: entry.id
        )


def _entry(trial: FrozenTrial, deletion: str) -> Entry:
    attributes = trial.user_attrs
    return Entry(
        id=trial._trial_id,  # noqa: SLF001 - what the storage's own methods take
        state=_NAMES.get(trial.state, "failed"),
        kind=attributes.get("kind", ""),
        key=attributes.get("key", ""),
        place=attributes.get("place", 0.0),
        owner=attributes.get("owner"),
        heartbeat=attributes.get("beat", 0),
        facts=attributes,
        deletion=deletion,
    )


def _packed(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the values compressed, in pieces that every database takes."""
    pieces: dict[str, str] = {}
    for name, value in facts.items():
        text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
        packed = base64.b64encode(zlib.compress(text.encode())).decode()
        for index, start in enumerate(range(0, len(packed), _PIECE)):
            pieces[f"{name}.{index}"] = packed[start : start + _PIECE]
    return pieces
