"""Measures one contestant on one world: scores, calls, tokens and time, alike for everybody.

Standard library only: the environments of all optimisers that are compared import it.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.comparison.endpoint import counted
from benchmarks.comparison.metric import metric_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.comparison.world import World

FOUND = "measured.json"


class Contestant(Protocol):
    """One optimiser with one draw of a world."""

    def answers(self) -> Sequence[Any]:
        """Return what the program in its present state says to each test row; None: an error."""

    def optimise(self) -> str:
        """Optimise the program; return in a few words how it ended."""


@dataclass(frozen=True)
class Measured:
    """What one run left.

    `before` and `after` hold the score of each test row, 0…1.
    Calls and tokens are the endpoint's count of the optimisation alone, `test_calls` that of the
    two tests; `seconds` is the optimisation's wall time, in a process that was started before, and
    the time that recorded replies of a broken attempt took when they were made.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    calls: int
    prompt_tokens: int
    completion_tokens: int
    test_calls: int
    seconds: float
    ended: str


def measured(url: str, contestant: Contestant, world: World) -> Measured:
    """Test on the world's test rows, optimise, and test again."""
    start = counted(url)
    before, untouched = _scores(contestant, world), counted(url)
    began = time.perf_counter()
    ended = contestant.optimise()
    seconds, optimised = time.perf_counter() - began, counted(url)
    after, end = _scores(contestant, world), counted(url)
    spent = optimised - untouched
    return Measured(
        before,
        after,
        spent.calls,
        spent.prompt_tokens,
        spent.completion_tokens,
        (untouched - start).calls + (end - optimised).calls,
        seconds + spent.saved,
        ended,
    )


def _scores(contestant: Contestant, world: World) -> tuple[float, ...]:
    score = metric_of(world.stages[-1])
    pairs = zip(contestant.answers(), world.test_rows, strict=True)
    return tuple(round(score(given, row.answer), 4) for given, row in pairs)


def write(folder: Path, found: Measured) -> None:
    """Leave what was measured in the folder."""
    (folder / FOUND).write_text(json.dumps(asdict(found)), encoding="utf-8")


def read(folder: Path) -> Measured:
    """Return what `write` left."""
    data = json.loads((folder / FOUND).read_text(encoding="utf-8"))
    return Measured(**(data | {"before": tuple(data["before"]), "after": tuple(data["after"])}))
