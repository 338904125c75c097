"""Which share of a program's calls a change of each module makes anew, from runs of the program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path

from pytest_mipro.optimizer.search.space import ALL_CALLS, CallShare
from pytest_mipro.optimizer.study.case import CaseRun


def call_shares(runs: Iterable[CaseRun], paths: Sequence[Path]) -> tuple[CallShare, ...]:
    """Return for each module its share of all calls, and the share from its first of a case on.

    Calls before that have the same requests, whatever the module's prompt. Modules of which now
    one, now the other begins first are called at once: they count as if neither did. (Where each
    waits for another one first, a cache may answer them in one order alone: then a resumed study
    may make other trials.) A module that is seldom called counts as if it made an equal part of the
    calls, as few scores depend on it; one that no run calls as if it made all.
    """
    called = [_called(run) for run in runs]
    firsts = [{path: order.index(path) for path in dict.fromkeys(order)} for order in called]
    later = _later(firsts)
    own, after = Counter[Path](), Counter[Path]()
    for order, at in zip(called, firsts, strict=True):
        own.update(order)
        for path in at:
            before = Counter(order[: at[path]])
            known = sum(count for one, count in before.items() if (path, one) not in later)
            after[path] += len(order) - known
    calls, part = own.total(), 1 / max(1, sum(path in own for path in paths))
    return tuple(
        CallShare(max(part, own[path] / calls), max(part, after[path] / calls))
        if path in own
        else ALL_CALLS
        for path in paths
    )


def _later(firsts: Iterable[Mapping[Path, int]]) -> Collection[tuple[Path, Path]]:
    """Return the pairs of modules of which the second began after the first in some case."""
    return {
        (one, other) for at in firsts for one, other in permutations(at, 2) if at[one] < at[other]
    }


def _called(run: CaseRun) -> list[Path]:
    """Return the prompts of a run's calls in the order in which these began."""
    return [each.signature.prompt_path for each in sorted(run.calls, key=lambda call: call.place)]
