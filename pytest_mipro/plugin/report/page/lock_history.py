"""The scores of a lock over its history in git."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pytest_mipro.errors import LockError
from pytest_mipro.optimizer.statistics.intervals import objective
from pytest_mipro.plugin.lock.lock_file import parse_lock

_COMMITS = 50
_SECONDS = 10


@dataclass(frozen=True)
class LockedScores:
    """A commit of the lock, its `day` and `subject`; `score` is the mean of its tests' means."""

    commit: str
    day: str
    subject: str
    score: float


def lock_history(lock: Path) -> tuple[LockedScores, ...]:
    """Return the scores in the last commits of a lock, the oldest first; none without git.

    A version that can't be read as a lock is left out.
    """
    line = ("--no-show-signature", "--format=%h%x09%cs%x09%s")
    log = _git(lock, "log", f"--max-count={_COMMITS}", *line, "--", lock.name)
    # Not `splitlines`: a subject may hold a form feed or a line separator.
    lines = log.decode("utf-8", "replace").split("\n")[:-1]
    commits = [entry.split("\t", 2) for entry in lines]
    wanted = "".join(f"{commit}:./{lock.name}\n" for commit, _, _ in commits)
    found = _git(lock, "cat-file", "--batch", given=wanted.encode()) if commits else b""
    history = []
    for commit, day, subject in commits:
        text, found = _next_text(found)
        score = _score(text, lock)
        if score is not None:
            history.append(LockedScores(commit, day, subject, score))
    return tuple(reversed(history))


def _next_text(batch: bytes) -> tuple[str, bytes]:
    """Return the first file of git's answer, "" for one that is not there, and the rest."""
    head, _, rest = batch.partition(b"\n")
    words = head.split()
    if len(words) != 3 or words[1] != b"blob":
        return "", rest
    size = int(words[2])
    return rest[:size].decode("utf-8", "replace"), rest[size + 1 :]


def _score(text: str, lock: Path) -> float | None:
    try:
        cases = parse_lock(text, lock).cases
    except LockError:
        return None
    scores = {case.id: case.score for case in cases if case.score is not None}
    return objective(scores, {case.id: case.test for case in cases}) if scores else None


def _git(lock: Path, *command: str, given: bytes = b"") -> bytes:
    """Return what git says in the lock's folder; nothing where it fails or is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the path stands behind `--`
            ["git", *command],  # noqa: S607 - the user's own
            cwd=lock.parent,
            input=given,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
