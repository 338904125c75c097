"""Paths of a study's own files inside `.mipro/`: bill, record, result, pages and the like."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from pytest_mipro.runtime.text.files import ensure_private_folder

StudyFile = Literal[
    "bills", "records", "looks", "refused", "finished", "usage", "report", "gate page", "optuna"
]

_NAMES: Mapping[StudyFile, str] = {
    "usage": "{stem}-{digest:.8}.json",
    "bills": "{stem}-{digest:.8}.jsonl",
    "records": "{stem}-{digest:.8}.jsonl",
    "looks": "{digest:.16}.json",
    "refused": "{stem}-{digest:.8}.diff",
    "finished": "{digest:.16}.json",
    "report": "{stem}-{digest:.8}/index.html",
    "gate page": "{stem}-{digest:.8}/gate.html",
    "optuna": "{stem}-{digest:.8}.log",
}
_FOLDERS: Mapping[StudyFile, str] = {"gate page": "report"}


def study_file(private_folder: Path, kind: StudyFile, study: str) -> Path:
    """Return the path of one of the study's files; `study` is its lock as seen from the ini file.

    The file and its folder may not exist.
    """
    name = _NAMES[kind].format(
        stem=PurePosixPath(study).name.removesuffix(".mipro.json"),
        digest=hashlib.sha256(study.encode()).hexdigest(),
    )
    return private_folder / _FOLDERS.get(kind, kind) / name


def ensure_study_folder(path: Path) -> None:
    """Make the private folders around a study's file; raises CacheError where that fails."""
    ensure_private_folder(path.parent.parent)
    ensure_private_folder(path.parent)
