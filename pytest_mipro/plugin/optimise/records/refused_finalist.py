"""Keep a refused finalist in `.mipro/refused/`: its prompts as a diff, its scores, and why."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.run.events import Measured
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.plugin.config.study_files import ensure_study_folder
from pytest_mipro.runtime.text.files import atomic_write


def prompt_diff(name: str, before: str, after: str) -> list[str]:
    """Return the lines of the unified diff of a file's text; `before` is "" for a new file."""
    names = f"a/{name}" if before else "/dev/null", f"b/{name}"
    # Not splitlines(): a prompt may hold other signs that Python takes for the end of a line.
    old, new = (text.removesuffix("\n").split("\n") if text else [] for text in (before, after))
    return list(difflib.unified_diff(old, new, *names, lineterm=""))


def keep_refused(
    path: Path, result: StudyResult, diffs: Iterable[Sequence[str]], redact: Callable[[str], str]
) -> None:
    """Write the file; `diffs` are those of its prompt files.

    Raises ConfigurationError where it can't be written.
    """
    lines = [
        f"The finalist of {result.study} was not written: {result.reason}",
        *_scores(result.deciding_before, result.deciding_after),
        "To try it: patch -p1 with this file, in the folder of pytest's ini file; then run pytest.",
        *(line for diff in diffs for line in diff),
    ]
    try:
        ensure_study_folder(path)
        atomic_write(path, redact("\n".join(lines) + "\n"))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the refused finalist can't be kept ({error.strerror or error}); move the "
            "file away, or make it writable"
        ) from None


def _scores(before: Measured, after: Measured | None) -> list[str]:
    if after is None:
        return ["It was not measured on all rows that decide."]
    pairs = {"Score on the rows that decide": (before.objective, after.objective)}
    pairs |= {test: (before.tests[test], mean) for test, mean in after.tests.items()}
    return [f"{name}: {old:.3f} → {new:.3f}" for name, (old, new) in pairs.items()]
