"""Measures one contestant on one world: scores, calls, tokens and time, alike for everybody.

Standard library only: the environments of all optimisers that are compared import it.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from benchmarks.comparison.endpoint import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

CONCURRENCY = 16
"""Calls in flight at once, the same for everybody."""

FOUND = "measured.json"


class Contestant(Protocol):
    """One optimiser with one draw of a world."""

    def answers(self) -> Sequence[str | None]:
        """Return what the program in its present state says to each test row; None: an error."""

    def optimise(self) -> str:
        """Optimise the program; return in a few words how it ended."""


@dataclass(frozen=True)
class Measured:
    """What one run left.

    `before` and `after` hold 1 for each test row that the program got right and 0 for the others.
    Calls and tokens are the endpoint's count of the optimisation alone, `test_calls` that of the
    two tests; `seconds` is the optimisation's wall time, in a process that was started before.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    calls: int
    prompt_tokens: int
    completion_tokens: int
    test_calls: int
    seconds: float
    ended: str


def measured(url: str, contestant: Contestant, right: Sequence[str]) -> Measured:
    """Test, optimise and test again; `right` are the test rows' answers."""
    start = counted(url)
    before, untouched = _marks(contestant.answers, right), counted(url)
    began = time.perf_counter()
    ended = contestant.optimise()
    seconds, optimised = time.perf_counter() - began, counted(url)
    after, end = _marks(contestant.answers, right), counted(url)
    spent = optimised - untouched
    return Measured(
        before,
        after,
        spent.calls,
        spent.prompt_tokens,
        spent.completion_tokens,
        (untouched - start).calls + (end - optimised).calls,
        seconds,
        ended,
    )


def _marks(answers: Callable[[], Sequence[str | None]], right: Sequence[str]) -> tuple[int, ...]:
    return tuple(int(given == wanted) for given, wanted in zip(answers(), right, strict=True))


def write(folder: Path, found: Measured) -> None:
    """Leave what was measured in the folder."""
    (folder / FOUND).write_text(json.dumps(asdict(found)), encoding="utf-8")


def read(folder: Path) -> Measured:
    """Return what `write` left."""
    data = json.loads((folder / FOUND).read_text(encoding="utf-8"))
    return Measured(**(data | {"before": tuple(data["before"]), "after": tuple(data["after"])}))
