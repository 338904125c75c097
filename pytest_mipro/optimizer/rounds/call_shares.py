"""Which share of a program's calls a change of each module makes anew, from runs of the program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from pytest_mipro.optimizer.search.space import CallShare
from pytest_mipro.optimizer.study.case import CaseRun


def call_shares(runs: Iterable[CaseRun], paths: Sequence[Path]) -> tuple[CallShare, ...]:
    """Return for each module its share of the calls of a case, and what it has from its first on.

    Calls before that have the same requests, whatever the module's prompt. A module that no run
    calls counts as if it made all. Modules of which now one, now the other begins first are called
    at once: they count as if neither did, since their order may be another one in a resumed study.
    """
    called = [_called(run) for run in runs]
    firsts = [{path: order.index(path) for path in order} for order in called]

    def precedes(one: Path, other: Path) -> bool:
        return all(at[one] < at[other] for at in firsts if one in at and other in at)

    least: dict[Path, list[float]] = {path: [] for path in paths}
    most: dict[Path, list[float]] = {path: [] for path in paths}
    for order, at in zip(called, firsts, strict=True):
        for path in least.keys() & at.keys():
            before = Counter(order[: at[path]])
            known = sum(count for one, count in before.items() if precedes(one, path))
            least[path].append(order.count(path) / len(order))
            most[path].append(1 - known / len(order))
    return tuple(
        CallShare(fmean(least[path]), fmean(most[path])) if least[path] else CallShare(1.0, 1.0)
        for path in paths
    )


def _called(run: CaseRun) -> list[Path]:
    """Return the prompts of a run's calls in the order in which these began."""
    return [each.signature.prompt_path for each in sorted(run.calls, key=lambda call: call.place)]
