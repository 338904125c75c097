"""Which share of a program's calls is new where another program was measured on the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.case import CaseRun


def shares_from(runs: Iterable[CaseRun], paths: Sequence[Path]) -> tuple[float, ...]:
    """Return for each module the share (0…1) of the calls from its first one of a case on.

    It is what a change of that module alone costs: calls before it have the same requests. A module
    that no run calls counts as the first. Modules of which now one, now the other begins first are
    called at once: they count as if neither did, since their order may be another one in a resumed
    study.
    """
    called = [_called(run) for run in runs]
    firsts = [{path: order.index(path) for path in order} for order in called]

    def precedes(one: Path, other: Path) -> bool:
        return all(at[one] < at[other] for at in firsts if one in at and other in at)

    found: dict[Path, list[float]] = {path: [] for path in paths}
    for order, at in zip(called, firsts, strict=True):
        for path in found.keys() & at.keys():
            before = Counter(order[: at[path]])
            known = sum(count for one, count in before.items() if precedes(one, path))
            found[path].append(1 - known / len(order))
    return tuple(sum(found[path]) / len(found[path]) if found[path] else 1.0 for path in paths)


def _called(run: CaseRun) -> list[Path]:
    """Return the prompts of a run's calls in the order in which these began."""
    return [each.signature.prompt_path for each in sorted(run.calls, key=lambda call: call.place)]


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
