"""Count the uses of a study's holdout: each finalist measured on it counts once.

The count lives in the private folder, so that it also grows when nothing is written. The lock
carries it to checkouts without that folder. Measuring the same prompts again is no new use: they
keep the place that their level goes by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.deciding.conclude import digest_of_prompts
from pytest_mipro.plugin.config.study_files import ensure_study_folder, study_file
from pytest_mipro.plugin.lock.lock_file import Lock
from pytest_mipro.runtime.text.files import atomic_write, file_lock, read_text
from pytest_mipro.runtime.text.strict_json import COUNT, load_json

_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class HoldoutUses:
    """Digests of the finalists measured on a holdout, in this order.

    `earlier` counts those before them, whose digests are not known.
    """

    finalists: tuple[str, ...] = ()
    earlier: int = 0


@dataclass(frozen=True)
class HoldoutRecord:
    """The uses of one study's holdout: of the private folder, and of the lock that was read."""

    private_folder: Path
    study: str
    lock: Lock | None

    def known(self) -> HoldoutUses:
        """Return the uses by now."""
        return known_holdout_uses(self.private_folder, self.study, self.lock)

    def add(self, finalist: str) -> tuple[str, ...]:
        """Record a finalist that is about to be measured; return all that were by now."""
        return record_holdout_use(self.private_folder, self.study, self.known(), finalist)

    def find(self, finalists: Iterable[str]) -> tuple[tuple[str, ...], int]:
        """Record finalists of other machines; return all by now, and how many were before them.

        Uses that the lock counts are taken to be theirs: only those beyond them count as well.
        """
        for finalist in finalists:
            record_holdout_use(self.private_folder, self.study, HoldoutUses(), finalist)
        uses = self.known()
        return uses.finalists, uses.earlier


def known_holdout_uses(private_folder: Path, study: str, lock: Lock | None) -> HoldoutUses:
    """Return the uses in the private folder, or those in the lock where it has more.

    Raises ConfigurationError where the record in the folder can't be read.
    """
    uses = _recorded(study_file(private_folder, "looks", study))
    if lock is None or lock.holdout_uses <= uses.earlier + len(uses.finalists):
        return uses
    prompts = {module.prompt_path: module.prompt for module in lock.modules if not module.frozen}
    locked = digest_of_prompts((PurePosixPath(path).name, it) for path, it in prompts.items())
    finalists = _with(uses.finalists, locked)
    return HoldoutUses(finalists, max(0, lock.holdout_uses - len(finalists)))


def record_holdout_use(
    private_folder: Path, study: str, known: HoldoutUses, finalist: str
) -> tuple[str, ...]:
    """Record the known uses and a finalist that is about to be measured on the holdout.

    Returns all that were measured there by now, as other runs may have used it meanwhile. Raises
    ConfigurationError where that can't be written: an uncounted use must not happen.
    """
    path = study_file(private_folder, "looks", study)
    recorded = _recorded(path)
    uses = _joined(known, recorded, finalist)
    if uses == recorded:  # so that nothing need be writable
        return uses.finalists
    ensure_study_folder(path)
    try:
        with file_lock(path.with_suffix(".lock"), _LOCK_SECONDS):
            uses = _joined(known, _recorded(path), finalist)
            data = {"study": study, "finalists": list(uses.finalists), "earlier": uses.earlier}
            atomic_write(path, json.dumps(data, indent=1) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the record of holdout uses can't be written "
            f"({error.strerror or error}); correct that, and run the same command again"
        ) from None
    return uses.finalists


def _joined(known: HoldoutUses, recorded: HoldoutUses, finalist: str) -> HoldoutUses:
    finalists = _with(known.finalists, *recorded.finalists, finalist)
    return HoldoutUses(finalists, max(known.earlier, recorded.earlier))


def _with(finalists: Iterable[str], *more: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*finalists, *more)))


def _recorded(path: Path) -> HoldoutUses:
    try:
        data = load_json(read_text(path))
    except FileNotFoundError:
        return HoldoutUses()
    except (ValueError, OSError):
        data = None
    known = data if isinstance(data, dict) else {}
    finalists, earlier = known.get("finalists"), known.get("earlier", 0)
    if not _are_texts(finalists) or not COUNT[0](earlier):
        raise ConfigurationError(
            f"{path}: the record of holdout uses can't be read; delete it, and treat the next "
            "result as optimistic"
        )
    return HoldoutUses(tuple(finalists), earlier)


def _are_texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
