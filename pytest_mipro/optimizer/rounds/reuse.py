"""Which share of a program's calls is new where another program was measured on the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.case import CaseRun


def shares_from(runs: Iterable[CaseRun], paths: Sequence[Path]) -> tuple[float, ...]:
    """Return for each module the share (0…1) of the calls from its first one of a case on.

    It is what a change of that module alone costs: calls before it have the same requests. A module
    that no run calls counts as the first.
    """
    found: dict[Path, list[float]] = {path: [] for path in paths}
    for run in runs:
        called = [call.signature.prompt_path for call in run.calls]
        for path in found.keys() & set(called):
            found[path].append(1 - called.index(path) / len(called))
    return tuple(sum(found[path]) / len(found[path]) if found[path] else 1.0 for path in paths)


def new_share(
    assignment: Assignment, measured: Iterable[Assignment], shares: Sequence[float]
) -> float:
    """Return the share of calls that are new beside the `measured` program most like it."""
    return min((_from_first_change(assignment, other, shares) for other in measured), default=1.0)


def _from_first_change(one: Assignment, other: Assignment, shares: Sequence[float]) -> float:
    changed = [
        index // 2 for index, both in enumerate(zip(one, other, strict=True)) if both[0] != both[1]
    ]
    return max((shares[module] for module in changed), default=0.0)
