"""How often a study's holdout was looked at: each finalist shown to it counts once.

The count lives in the private folder, so that it also grows when nothing is written, and is carried
into the lock, from which a checkout without that folder goes on. Showing the same prompts again is
no new look.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.deciding.conclude import digest_of_prompts
from pytest_mipro.plugin.config.study_files import ensure_study_folder, study_file
from pytest_mipro.runtime.text.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mipro.plugin.lock.lock import Lock


@dataclass(frozen=True)
class Looks:
    """The digests of finalists that a holdout was shown, and how many more there were."""

    finalists: frozenset[str] = frozenset()
    earlier: int = 0

    @property
    def total(self) -> int:
        """How many finalists there were in all."""
        return self.earlier + len(self.finalists)


def known_looks(private_folder: Path, study: str, lock: Lock | None) -> Looks:
    """Return the looks that the private folder tells of, or the lock where it tells of more."""
    looks = _recorded(study_file(private_folder, "looks", study))
    if lock is None or lock.holdout_uses <= looks.total:
        return looks
    finalists = looks.finalists | {_written_with(lock)}
    return Looks(finalists, max(0, lock.holdout_uses - len(finalists)))


def note_look(private_folder: Path, study: str, known: Looks, finalist: str) -> None:
    """Record the looks known, and that the study's holdout is shown this finalist.

    Raises ConfigurationError where that can't be written: a look that is not counted is not made.
    """
    path = study_file(private_folder, "looks", study)
    looks = replace(known, finalists=known.finalists | {finalist})
    if looks != _recorded(path):
        data = {"study": study, "finalists": sorted(looks.finalists), "earlier": looks.earlier}
        ensure_study_folder(path)
        try:
            atomic_write(path, json.dumps(data, indent=1) + "\n")
        except OSError as error:
            raise ConfigurationError(
                f"{path}: the record of looks at the holdout can't be written "
                f"({error.strerror or error}); correct that, and run the same command again"
            ) from None


def _recorded(path: Path) -> Looks:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Looks(frozenset(map(str, data["finalists"])), int(data.get("earlier", 0)))
    except FileNotFoundError:
        return Looks()
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        raise ConfigurationError(
            f"{path}: the record of looks at the holdout can't be read; delete it, and count the "
            "next result as optimistic"
        ) from None


def _written_with(lock: Lock) -> str:
    """Return the digest of the finalist that the lock was written with."""
    modules = [module for module in lock.modules if not module.frozen]
    prompts = {module.prompt_path: module.prompt for module in modules}
    return digest_of_prompts((PurePosixPath(path).name, it) for path, it in prompts.items())
