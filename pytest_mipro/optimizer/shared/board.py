"""The board where processes meet: entries, each a trial of one study of optuna's.

An entry waits, is claimed by exactly one process, and is then done or has failed. Optuna's storages
make that step, from waiting to running, atomic: all that processes agree on rests on it.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from pytest_mipro.errors import StorageError
from pytest_mipro.optimizer.shared.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

Kind = Literal["process", "lease", "job", "reply"]
State = Literal["waiting", "running", "done", "failed"]

_STATES: Mapping[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "done",
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "failed",
}
# MySQL keeps 65,535 bytes of an attribute.
_PIECE = 60_000


@dataclass(frozen=True)
class Entry:
    """An entry as it was read. `owner` is the process entry of who claimed it, None before.

    `place` (0…1) tells whose neighbourhood a job lies in, `beat` changes while a process lives;
    `facts` are packed texts, read by `Entry.fact`.
    """

    id: int
    state: State
    kind: Kind
    key: str = ""
    place: float = 0.0
    owner: int | None = None
    beat: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)

    def fact(self, name: str) -> Any:
        """Return the JSON value kept under a name, None where there is none."""
        pieces: list[str] = []
        while (piece := self.facts.get(f"{name}.{len(pieces)}")) is not None:
            pieces.append(piece)
        return _unpacked("".join(pieces)) if pieces else None


class Board:
    """The entries of one study. Thread-safe. Raises StorageError where the storage fails."""

    def __init__(self, storage: BaseStorage, url: str, name: str) -> None:
        self._storage = storage
        self._url = url
        with self._told():
            try:
                self._study = storage.create_new_study([StudyDirection.MAXIMIZE], name)
            except optuna.exceptions.DuplicatedStudyError:
                self._study = storage.get_study_id_from_name(name)

    @property
    def about(self) -> Mapping[str, Any]:
        """What is noted on the study as a whole."""
        with self._told():
            return dict(self._storage.get_study_user_attrs(self._study))

    def note_about(self, name: str, value: Any) -> None:
        """Note a JSON value on the study as a whole."""
        with self._told():
            self._storage.set_study_user_attr(self._study, name, value)

    def siblings(self, prefix: str) -> list[Board]:
        """Return the boards of the storage's other studies whose names begin with `prefix`."""
        with self._told():
            studies = self._storage.get_all_studies()
        names = [
            item.study_name
            for item in studies
            if item._study_id != self._study and item.study_name.startswith(prefix)  # noqa: SLF001
        ]
        return [Board(self._storage, self._url, name) for name in names]

    def open_entries(self) -> list[Entry]:
        """Return what waits or runs, in the order in which it was put up."""
        return self._entries(TrialState.WAITING, TrialState.RUNNING)

    def done(self) -> list[Entry]:
        """Return what is done, in the order in which it was put up."""
        return self._entries(TrialState.COMPLETE)

    def entry(self, number: int) -> Entry:
        """Return an entry as it is now."""
        with self._told():
            return _entry(self._storage.get_trial(number))

    def put(
        self,
        kind: Kind,
        key: str = "",
        *,
        place: float = 0.0,
        state: State = "waiting",
        **facts: Any,
    ) -> int:
        """Put up an entry and return its id."""
        trial = create_trial(
            state=next(known for known, name in _STATES.items() if name == state),
            value=0.0 if state == "done" else None,
            user_attrs={"kind": kind, "key": key, "place": place, **_packed_facts(facts)},
        )
        with self._told():
            return self._storage.create_new_trial(self._study, template_trial=trial)

    def claim(self, number: int, owner: int) -> bool:
        """Take a waiting entry for the process `owner`; False: another one was faster."""
        try:
            with self._told():
                if not self._storage.set_trial_state_values(number, TrialState.RUNNING):
                    return False
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        return self._set(number, {"owner": owner})

    def beat(self, number: int, count: int) -> bool:
        """Give a sign of life; False: the entry is closed, so others count the process as dead."""
        return self._set(number, {"beat": count})

    def finish(self, number: int, value: float = 0.0, **facts: Any) -> bool:
        """Close a running entry as done; False: it was closed before, and nothing is changed."""
        return self._set(number, _packed_facts(facts)) and self._close(
            number, TrialState.COMPLETE, [value]
        )

    def fail(self, number: int) -> bool:
        """Close an entry as failed; False: it was closed before."""
        return self._close(number, TrialState.FAIL, None)

    def _close(self, number: int, state: TrialState, values: list[float] | None) -> bool:
        try:
            with self._told():
                return self._storage.set_trial_state_values(number, state, values)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def _set(self, number: int, attributes: Mapping[str, Any]) -> bool:
        try:
            with self._told():
                for name, value in attributes.items():
                    self._storage.set_trial_user_attr(number, name, value)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        return True

    def _entries(self, *states: TrialState) -> list[Entry]:
        with self._told():
            trials = self._storage.get_all_trials(self._study, deepcopy=False, states=states)
        return sorted((_entry(trial) for trial in trials), key=lambda entry: entry.id)

    def _told(self) -> Any:
        return storage_errors(self._url)


def _entry(trial: FrozenTrial) -> Entry:
    attributes = trial.user_attrs
    return Entry(
        id=trial._trial_id,  # noqa: SLF001 - what the storage's own methods take
        state=_STATES[trial.state],
        kind=attributes.get("kind", ""),
        key=attributes.get("key", ""),
        place=attributes.get("place", 0.0),
        owner=attributes.get("owner"),
        beat=attributes.get("beat", 0),
        facts=attributes,
    )


def _packed_facts(facts: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{name}.{index}": piece
        for name, value in facts.items()
        for index, piece in enumerate(_pieces(value))
    }


def _pieces(value: Any) -> Iterable[str]:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    packed = base64.b64encode(zlib.compress(text.encode())).decode()
    return (packed[start : start + _PIECE] for start in range(0, len(packed), _PIECE))


def _unpacked(text: str) -> Any:
    try:
        return json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    except (ValueError, zlib.error, RecursionError):
        raise StorageError(
            "the storage holds an entry that is none of pytest-mipro's; use another database, or "
            "delete the study by `optuna delete-study`"
        ) from None
