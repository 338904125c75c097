"""Tell of a study's drift from its lock, in the terminal and, in strict mode, as a result.

Drift is shown, not judged: scores are compared with the lock until someone renews it. With
`--mipro-strict` it is a failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import wrap

import pytest

from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path, relative_path
from pytest_mipro.plugin.gate.differences import Difference, FormatPath, differences
from pytest_mipro.plugin.gate.junit import ProblemText, report_result
from pytest_mipro.plugin.gate.provenance import StudyProvenance, provenance_of
from pytest_mipro.plugin.gate.state import RunState
from pytest_mipro.plugin.gate.verdict.judge import locked
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.runtime.text.number_words import counted

_DRIFTS = pytest.StashKey[dict[str, "Callable[[FormatPath], tuple[Difference, ...]]"]]()


def drift_of(config: pytest.Config, lock: str, shown: FormatPath) -> tuple[Difference, ...] | None:
    """Return what differs from the lock at the path; None: no such lock, or it was not compared."""
    compare = config.stash.get(_DRIFTS, {}).get(lock)
    return compare(shown) if compare else None


def report_drift(state: RunState) -> None:
    """Compare each measured study with its lock; in strict mode, report each as a result.

    Only there a missing lock is a difference.
    """
    config, by_lock = state.config, defaultdict[str, list[Verdict]](list)
    for verdict in state.verdicts:
        by_lock[verdict.plan.lock].append(verdict)
    drifts = config.stash.setdefault(_DRIFTS, {})
    options = options_of(config)
    for path, study in provenance_of(config).items():
        lock = locked(study.lock)
        if lock is not None:
            drifts[path] = partial(differences, lock, study, by_lock[path])
        elif options.strict:
            drifts[path] = _no_lock
        if options.strict and not options.update_lock:
            _report_study(state, study)


def _no_lock(_: FormatPath) -> tuple[Difference, ...]:
    remedy = "restore the file, rename it like its test file or study, or commit a new one"
    return (Difference("lock", "there is no lock", remedy),)


def _report_study(state: RunState, study: StudyProvenance) -> None:
    config, path = state.config, relative_path(study.lock, state.config.rootpath)
    found = drift_of(config, str(study.lock), partial(format_path, config))
    problem = None
    if found:
        count = counted(len(found), "difference")
        summary = f"{count} from the lock (mipro_strict): {found[0].what}"
        details = [*map(str, found), *_remedy(state, str(study.lock))]
        problem = ProblemText(path, summary, details)
    report_result(config, f"{path}::lock", f"drift from {study.lock.name}", problem)


def drift_lines(state: RunState, lock: str) -> list[str]:
    """Return the differences from the lock as lines for the terminal, none where there are none."""
    config = state.config
    found = drift_of(config, lock, partial(format_path, config)) or ()
    if not found:
        return []
    texts = [str(difference) for difference in found]
    texts += [] if options_of(config).update_lock else _remedy(state, lock)
    wrapped = (wrap(text, 78, subsequent_indent="  ", break_on_hyphens=False) for text in texts)
    head = f"differs from {format_path(config, Path(lock))}:"
    return [head, *(f"  {line}" for lines in wrapped for line in lines)]


def _remedy(state: RunState, lock: str) -> list[str]:
    """Return how to renew the lock; nothing where the run has no score to lock."""
    scored = any(v.plan.lock == lock and v.whole.mean is not None for v in state.verdicts)
    return ["`pytest --mipro-update-lock` locks these scores"] if scored else []
