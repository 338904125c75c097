"""What all processes must agree on before they share a study, or scores would mix two projects."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.shared.board import Board
from pytest_mipro.optimizer.shared.census import beat_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from optuna.storages import BaseStorage

    from pytest_mipro.optimizer.study.case import Study
    from pytest_mipro.optimizer.study.settings import OptimizerSettings

_AGREEMENT = "agreement"
# A process that lives is seen to within so many beats.
_BEATS = 2.5


def agreement_of(
    study: Study, settings: OptimizerSettings, project: Mapping[str, Any]
) -> dict[str, str]:
    """Return a digest of each thing that processes must have in common, by its name.

    `project` adds what the optimiser does not see. How many calls a process makes at once is its
    own matter.
    """
    chosen = {name: value for name, value in asdict(settings).items() if name != "concurrency"}
    chosen["parts"] = sorted(settings.parts)
    parts = {
        "cases": [
            [case.id, case.row, case.test, case.split, case.demo, dict(case.columns)]
            for case in study.cases
        ],
        "mark arguments": {name: asdict(test) for name, test in sorted(study.tests.items())},
        "salt of the split": study.salt,
        "options": chosen,
        **project,
    }
    return {name: _digest(value) for name, value in parts.items()}


def joined_board(
    storage: BaseStorage, url: str, study: Study, agreement: Mapping[str, str]
) -> Board:
    """Return the board of all who agree."""
    board = Board(storage, url, f"{_prefix(study)}{_digest(dict(agreement))}")
    board.note_about(_AGREEMENT, dict(agreement))
    return board


def refuse_others(
    board: Board, study: Study, agreement: Mapping[str, str], patience: float
) -> None:
    """Raise ConfigurationError where a living process optimises the same study of another project.

    Takes a few seconds where such a process died without a word, else no time.
    """
    for other in board.siblings(_prefix(study)):
        if _lives(other, patience):
            theirs = other.about.get(_AGREEMENT, {})
            names = [name for name in agreement if agreement[name] != theirs.get(name)]
            raise ConfigurationError(
                f"another process shares study {study.name} in this storage and differs in "
                f"{', '.join(names)}; run the same commit with the same options on all machines, "
                "or give each its own storage"
            )


def _lives(board: Board, patience: float) -> bool:
    before = dict(_beats(board))
    deadline = time.monotonic() + _BEATS * beat_of(patience)
    while before and time.monotonic() < deadline:
        time.sleep(beat_of(patience) / 4)
        if any(before.get(number) != beat for number, beat in _beats(board)):
            return True
    return False


def _beats(board: Board) -> Iterator[tuple[int, int]]:
    return ((item.id, item.beat) for item in board.open_entries() if item.kind == "process")


def _prefix(study: Study) -> str:
    return f"pytest-mipro {study.name} "


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
