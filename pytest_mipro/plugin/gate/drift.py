"""What differs from the lock: prompts, modules, models and cases, and what a comparison then means.

Drift is told, not judged: the lock stays the yardstick until somebody renews it. `--mipro-strict`
makes it a failure.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path, relative_path
from pytest_mipro.plugin.config.words import counted
from pytest_mipro.plugin.gate.provenance import observed_studies
from pytest_mipro.plugin.gate.state import known_state
from pytest_mipro.plugin.gate.synthetic_reports import ProblemText, announce_result
from pytest_mipro.plugin.lock.lock_file import read_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_mipro.plugin.gate.provenance import ObservedStudy
    from pytest_mipro.plugin.gate.state import RunState
    from pytest_mipro.plugin.gate.verdict import Verdict
    from pytest_mipro.plugin.lock.lock_schema import Lock, LockedModule

Kind = Literal["prompt", "docstring", "signature", "model", "module", "cases"]

_EDIT = "the difference from the lock is this edit's"
_PROGRAM = "the difference from the lock is the program's too"


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was locked, and what this means for the comparison."""

    kind: Kind
    what: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.what}: {self.meaning}"


_DRIFTS = pytest.StashKey[dict[str, "Callable[[Callable[[Path], str]], tuple[Difference, ...]]"]]()


def drift_of(
    config: pytest.Config, lock: str, shown: Callable[[Path], str]
) -> tuple[Difference, ...] | None:
    """Return what differs from the lock at the path; None: no such lock, or it was not compared.

    `shown` writes the paths of prompt files.
    """
    compared = config.stash.get(_DRIFTS, {}).get(lock)
    return compared(shown) if compared else None


def announce_drift(state: RunState) -> None:
    """Compare each measured study with its lock; in strict mode, report each as a result.

    A missing lock is no drift.
    """
    config, by_lock = state.config, defaultdict[str, list["Verdict"]](list)
    for verdict in state.verdicts:
        by_lock[verdict.plan.lock].append(verdict)
    drifts = config.stash.setdefault(_DRIFTS, {})
    options = options_of(config)
    for path, study in observed_studies(config).items():
        try:
            lock = read_lock(study.lock)
        except LockError:  # reported at collection; here it can only have broken since
            continue
        if lock is None:
            continue
        drifts[path] = partial(differences, lock, study, by_lock[path])
        if options.strict and not options.update_lock:
            _announce(config, study, drift_of(config, path, partial(format_path, config)) or ())


def _announce(config: pytest.Config, study: ObservedStudy, found: Sequence[Difference]) -> None:
    shown = relative_path(study.lock, config.rootpath)
    problem = None
    if found:
        words = f"{counted(len(found), 'difference')} from the lock (mipro_strict): {found[0].what}"
        problem = ProblemText(shown, words, [*map(str, found), *_remedy(config, str(study.lock))])
    announce_result(config, f"{shown}::lock", f"drift from {study.lock.name}", problem)


def differences(
    lock: Lock,
    study: ObservedStudy,
    verdicts: Sequence[Verdict],
    shown: Callable[[Path], str],
) -> tuple[Difference, ...]:
    """Return what differs between a lock and what a run's cases were measured with.

    What part of the run did not select, or did not come to run, is no difference. `shown` writes
    the paths of prompt files.
    """
    modules = _modules(lock, study, _complete(study, verdicts), shown)
    return (*modules, *_cases(lock, study, verdicts))


def _modules(
    lock: Lock, study: ObservedStudy, complete: bool, shown: Callable[[Path], str]
) -> Iterator[Difference]:
    locked, now = _by_path(lock.modules), _by_path(study.modules)
    for path in sorted(locked.keys() | now.keys()):
        if path not in now:
            if complete:
                what = f"module {locked[path][0].name} is no longer called"
                yield Difference("module", what, _PROGRAM)
        elif path not in locked:
            yield Difference("module", f"module {now[path][0].name} is new", _PROGRAM)
        else:
            file = Path(os.path.normpath(study.lock.parent / path))
            yield from _module(locked[path], now[path], shown(file))


def _by_path(modules: Iterable[LockedModule]) -> dict[str, list[LockedModule]]:
    found: dict[str, list[LockedModule]] = {}
    for module in modules:
        found.setdefault(module.prompt_path, []).append(module)
    return found


def _module(
    locked: Sequence[LockedModule], now: Sequence[LockedModule], file: str
) -> Iterator[Difference]:
    before, after = locked[0], now[0]
    if before.prompt != after.prompt:
        yield Difference("prompt", _prompt_change(before, after, file), _EDIT)
    shadowed = after.docstring not in ("", after.prompt)
    if shadowed and before.docstring not in ("", after.docstring):
        yield Difference(
            "docstring",
            f"the docstring of {after.name} changed, but {file} serves in its place",
            "no score is affected; carry the change over to the file, or delete the file",
        )
    if before.signature != after.signature:
        yield Difference("signature", f"the inputs or the output of {after.name} changed", _PROGRAM)
    yield from _models(locked, now)


def _prompt_change(before: LockedModule, after: LockedModule, file: str) -> str:
    had_file, has_file = before.prompt != before.docstring, after.prompt != after.docstring
    if had_file and not has_file:
        return f"{file} is gone, the docstring of {after.name} serves"
    if has_file and not had_file:
        return f"{file} is new, the docstring of {after.name} served"
    return f"{file if has_file else f'the docstring of {after.name}'} changed"


def _models(locked: Sequence[LockedModule], now: Sequence[LockedModule]) -> Iterator[Difference]:
    name = now[0].name
    before, after = ({module.model for module in modules} for modules in (locked, now))
    if before != after:
        yield Difference(
            "model",
            f"{name} was locked with {_names(before)} and ran with {_names(after)}",
            "the difference from the lock is the model's too",
        )
    elif (old := _parameters(locked)) != (new := _parameters(now)):
        yield Difference(
            "model",
            f"{name} was locked with {_names(old)} and ran with {_names(new)}",
            "the difference from the lock is the parameters' too",
        )


def _parameters(modules: Sequence[LockedModule]) -> set[str]:
    texts = (
        ", ".join(f"{key}={value!r}" for key, value in sorted(module.parameters.items()))
        for module in modules
    )
    return {text or "no parameters" for text in texts}


def _names(names: set[str]) -> str:
    return " and ".join(sorted(names))


def _cases(lock: Lock, study: ObservedStudy, verdicts: Sequence[Verdict]) -> Iterator[Difference]:
    locked: Mapping[str, str] = {case.id: case.digest for case in lock.cases}
    now = {result.id: result.digest for verdict in verdicts for result in verdict.results}
    whole = {
        verdict.plan.name for verdict in verdicts if len(verdict.results) == verdict.plan.expected
    }
    measured = {verdict.plan.name for verdict in verdicts}
    counts = Counter(
        "new" if case not in locked else "changed"
        for case, digest in now.items()
        if locked.get(case) != digest
    )
    counts["gone"] = sum(
        case.id not in now
        and (case.test in whole or (case.test not in measured and not study.partial))
        for case in lock.cases
    )
    if not counts.total():
        return
    told = [f"{counts[kind]} {kind}" for kind in ("new", "changed", "gone") if counts[kind]]
    common = sum(locked.get(case) == digest for case, digest in now.items())
    yield Difference(
        "cases",
        f"cases differ ({', '.join(told)})",
        f"compared on the {common} common ones" if common else "there is nothing to compare",
    )


def _complete(study: ObservedStudy, verdicts: Sequence[Verdict]) -> bool:
    """Return whether every case made all of its calls; one with an error stopped before some."""
    outcomes = [result.outcome for verdict in verdicts for result in verdict.results]
    broken = any(outcome.error or outcome.failure for outcome in outcomes)
    return not study.partial and not broken and len(study.uses) == study.selected


def drift_lines(config: pytest.Config, lock: str) -> list[str]:
    """Return the differences from the lock as lines for the terminal, none where there are none."""
    found = drift_of(config, lock, partial(format_path, config)) or ()
    if not found:
        return []
    told = [str(difference) for difference in found]
    told += [] if options_of(config).update_lock else _remedy(config, lock)
    wrapped = (wrap(text, 78, subsequent_indent="  ", break_on_hyphens=False) for text in told)
    return [
        f"differs from {format_path(config, Path(lock))}:",
        *(f"  {line}" for lines in wrapped for line in lines),
    ]


def _remedy(config: pytest.Config, lock: str) -> list[str]:
    """Return how the lock is renewed; nothing where the run has no score to lock."""
    state = known_state(config)
    verdicts = state.verdicts if state else ()
    scored = any(v.plan.lock == lock and v.whole.mean is not None for v in verdicts)
    return ["`pytest --mipro-update-lock` locks these scores"] if scored else []
