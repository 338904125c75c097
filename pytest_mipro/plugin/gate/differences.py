"""What differs between a lock and what a run's cases were measured with."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Literal

from pytest_mipro.optimizer.study.split import digest_of_rows
from pytest_mipro.plugin.gate.provenance import StudyProvenance
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.lock.lock_file import Lock, LockedModule
from pytest_mipro.runtime.calls.parameters import PRIVATE_PREFIX, RECORDED
from pytest_mipro.runtime.signature.signature import plain_file, variant_of_file
from pytest_mipro.runtime.text.files import is_regular
from pytest_mipro.runtime.text.number_words import counted
from pytest_mipro.runtime.text.redaction import HIDDEN

FormatPath = Callable[[Path], str]
Kind = Literal["lock", "prompt", "docstring", "signature", "model", "module", "cases", "split"]

_CASE_KINDS = ("new", "changed", "gone", "no longer scored")
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


def differences(
    lock: Lock, study: StudyProvenance, verdicts: Sequence[Verdict], shown: FormatPath
) -> tuple[Difference, ...]:
    """Return what differs between a lock and what a run's cases were measured with.

    What the run did not select, or did not come to run, is no difference.
    """
    before, now = _by_path(lock.modules), _by_path(study.modules)
    outcomes = [result.outcome for verdict in verdicts for result in verdict.results]
    # A case with an error stopped before some of its calls.
    broken = any(outcome.error or outcome.failure for outcome in outcomes)
    complete = not study.partial and not broken and len(outcomes) == study.selected
    found: list[Difference] = []
    if lock.edited:
        what = f"{counted(lock.edited, 'line')} of the lock edited since it was written"
        found.append(Difference("lock", what, "restore the file, or lock these scores"))
    moved = _moved(before, now) if complete else {}
    for path in sorted(before.keys() | now.keys()):
        old = moved.get(path, path)
        if path in now and old in before:
            folder = study.lock.parent
            files = [_file_of(m[0], folder, shown) for m in (before[old], now[path])]
            found += _module(before[old], now[path], *files, left=_is_left(folder, old, path))
            found += _models(before[old], now[path], complete=complete)
        elif path in now:
            found.append(Difference("module", f"module {now[path][0].name} is new", _PROGRAM))
        elif complete and path not in moved.values():
            found.append(_uncalled(before[path][0], study.lock.parent, shown))
    if complete and (lock.holdout or lock.logical_calls):
        found += _split(lock, verdicts)
    found += _demos(lock, study, verdicts)
    return (*found, *_cases(lock, study, verdicts))


def _file_of(module: LockedModule, folder: Path, shown: FormatPath) -> str:
    """Return the prompt file in words; a variant without its own has the plain one."""
    file = Path(os.path.normpath(folder / module.prompt_path))
    if not variant_of_file(file) or is_regular(file):
        return shown(file)
    return f"{shown(plain_file(file))}, which {module.name} follows,"


def _uncalled(module: LockedModule, folder: Path, shown: FormatPath) -> Difference:
    what, file = f"module {module.name} is no longer called", folder / module.prompt_path
    if not is_regular(file):
        return Difference("module", what, _PROGRAM)
    return Difference(
        "module",
        f"{what}, but {_file_of(module, folder, shown)} is still there",
        f"{_PROGRAM}; rename or delete the file if you did so with the module",
    )


def _is_left(folder: Path, was: str, now: str) -> bool:
    """Return whether a prompt file stayed behind when its module moved."""
    return is_regular(folder / was) and not is_regular(folder / now)


def _by_path(modules: Iterable[LockedModule]) -> dict[str, list[LockedModule]]:
    found = defaultdict[str, list[LockedModule]](list)
    for module in modules:
        found[module.prompt_path].append(module)
    return found


def _moved(
    before: dict[str, list[LockedModule]], now: dict[str, list[LockedModule]]
) -> dict[str, str]:
    """Return the locked path of each module whose prompt is read from another path now."""
    gone = {before[path][0].name: path for path in sorted(before.keys() - now.keys())}
    names = {path: now[path][0].name for path in sorted(now.keys() - before.keys())}
    return {path: gone.pop(name) for path, name in names.items() if name in gone}


def _module(
    locked: Sequence[LockedModule],
    now: Sequence[LockedModule],
    was: str,
    file: str,
    *,
    left: bool,
) -> Iterator[Difference]:
    before, after = locked[0], now[0]
    if left and before.prompt_path != after.prompt_path:
        what = f"{after.name} found no prompt file {file}, and ran without; move {was} there"
        yield Difference("prompt", what, _EDIT)
    elif before.prompt_path != after.prompt_path:
        what = f"the prompt file of {after.name} is {file}, and was {was}"
        yield Difference("prompt", what, _EDIT)
    elif before.prompt != after.prompt:
        yield Difference("prompt", _prompt_change(before, after, file), _EDIT)
    shadowed = after.docstring not in ("", after.prompt)
    if shadowed and before.docstring not in ("", after.docstring):
        yield Difference(
            "docstring",
            f"the docstring of {after.name} changed, but {file} overrides it",
            "no score is affected; carry the change over to the file, or delete the file",
        )
    if before.signature != after.signature:
        yield Difference("signature", f"the inputs or the output of {after.name} changed", _PROGRAM)


def _prompt_change(before: LockedModule, after: LockedModule, file: str) -> str:
    had_file, has_file = before.prompt != before.docstring, after.prompt != after.docstring
    if had_file and not has_file:
        return f"{file} is gone; the docstring of {after.name} is used instead"
    if has_file and not had_file:
        return f"{file} is new; before, the docstring of {after.name} was used"
    return f"{file if has_file else f'the docstring of {after.name}'} changed"


def _models(
    locked: Sequence[LockedModule], now: Sequence[LockedModule], *, complete: bool
) -> Iterator[Difference]:
    """Yield the difference in models or parameters; part of the cases may lack some."""
    for whose, describe in (("model's", attrgetter("model")), ("parameters'", _parameters)):
        old, new = (sorted(set(map(describe, each))) for each in (locked, now))
        if old != new and (complete or not set(new) <= set(old)):
            was, ran = map(" and ".join, (old, new))
            yield Difference(
                "model",
                f"{now[0].name} was locked with {was} and ran with {ran}",
                f"the difference from the lock is the {whose} too",
            )
            return


def _parameters(module: LockedModule) -> str:
    pairs = (f"{key}={_shown(key, value)}" for key, value in sorted(module.parameters.items()))
    return ", ".join(pairs) or "no parameters"


def _shown(name: str, value: object) -> str:
    """Return the value of a parameter, hidden where an earlier release kept a private one."""
    digest = isinstance(value, str) and value.startswith(PRIVATE_PREFIX)
    as_locked = json.loads(json.dumps(value, sort_keys=True))  # a call may order keys otherwise
    return repr(as_locked) if name in RECORDED else str(value) if digest else HIDDEN


def _split(lock: Lock, verdicts: Sequence[Verdict]) -> Iterator[Difference]:
    names = _names_in(lock, verdicts)
    held_out = [
        (verdict.held_out, {names.get(row, row) for row in verdict.held_out})
        for verdict in verdicts
    ]
    if any(lock.holdout not in map(digest_of_rows, rows) for rows in held_out):
        yield Difference(
            "split",
            "the holdout has other rows than the search held out",
            "its mean may rest on rows that the search used, until the next search",
        )


def _names_in(lock: Lock, verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Return how the lock names each row: of a renamed case file the rows are the same."""
    locked = {(case.id, case.digest): case.row for case in lock.cases}
    results = [result for verdict in verdicts for result in verdict.results]
    known = {it.row: locked[it.id, it.digest] for it in results if (it.id, it.digest) in locked}
    return {it.row: it.row for it in results} | known  # a test may be new, on rows of another one


def _demos(lock: Lock, study: StudyProvenance, verdicts: Sequence[Verdict]) -> Iterator[Difference]:
    """Yield the difference of rows that demos name as they were called before."""
    names = _names_in(lock, verdicts)
    renamed = sorted(
        (was, now)
        for now, was in names.items()
        if was in study.demo_rows and was != now and was not in names
    )
    if renamed:
        was, now = renamed[0]
        rows = counted(len(renamed), "row has", "rows have")
        yield Difference(
            "prompt",
            f"{rows} a name that demos don't know, as {now}, which is {was} there",
            "such a row is shown its own answer; write the new name as `case` of the demo",
        )


def _cases(lock: Lock, study: StudyProvenance, verdicts: Sequence[Verdict]) -> Iterator[Difference]:
    locked = {case.id: case.digest for case in lock.cases}
    results = [result for verdict in verdicts for result in verdict.results]
    now = {result.id: result.digest for result in results}
    whole = {v.plan.name for v in verdicts if len(v.results) == v.plan.expected}
    measured = {v.plan.name for v in verdicts}
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
    counts["no longer scored"] = sum(
        bool(result.outcome.skipped) and result.id in lock.scores for result in results
    )
    if not counts.total():
        return
    parts = [f"{counts[kind]:,} {kind}" for kind in _CASE_KINDS if counts[kind]]
    common = sum(len(v.comparison.before) for v in verdicts if v.comparison is not None)
    ones = counted(common, "common one")
    yield Difference(
        "cases",
        f"cases differ ({', '.join(parts)})",
        f"compared on the {ones}" if common else "there is nothing to compare",
    )
