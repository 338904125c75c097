"""The space of a search: its dimensions, their choices, and what a change of some costs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Assignment = tuple[int, ...]
"""One index a dimension: which instruction, or which demo set, of which module."""


@dataclass(frozen=True)
class CallShare:
    """The share (0…1) of a program's calls that a change makes anew: at `least`, and at `most`.

    At least those of the modules that changed, at most all from the first of them on: a later call
    is new where what it is given has changed.
    """

    least: float
    most: float

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most <= 1:
            raise ValueError(f"shares are 0 <= least <= most <= 1, got {self}")

    @property
    def expected(self) -> float:
        """The mean of both: of what follows a change, half is expected to be new."""
        return (self.least + self.most) / 2


ALL_CALLS, NO_CALLS = CallShare(1.0, 1.0), CallShare(0.0, 0.0)


@dataclass(frozen=True)
class Space:
    """The categorical dimensions of a search.

    Dimension i has the distinct name `names[i]`, "module.kind", and the choices 0…`sizes[i]` - 1;
    `names` and `sizes` are equally long. `origins`, if given, hold for each choice of each
    dimension the one that it was made to improve on, 0 for choice 0; without them, all were made
    from choice 0. `shares`, if given, hold for each module what a change of it alone makes anew;
    without them, any change makes all calls anew. `demos`, if given, hold for each choice of each
    dimension how many demos it shows.
    """

    sizes: tuple[int, ...]
    names: tuple[str, ...]
    origins: tuple[tuple[int, ...], ...] = ()
    shares: tuple[CallShare, ...] = ()
    demos: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if len(self.sizes) != len(self.names) or len(set(self.names)) != len(self.names):
            raise ValueError(f"a space needs one distinct name a dimension, got {self}")
        if any(size < 1 for size in self.sizes):
            raise ValueError(f"every dimension needs at least one choice, got {self.sizes}")
        if self.shares and len(self.shares) != len(set(self.modules)):
            raise ValueError(f"a space needs one share of calls a module, got {self}")
        if any(share.least == 0 for share in self.shares):
            raise ValueError(f"a module whose prompt changed makes calls anew, got {self.shares}")

    @property
    def count(self) -> int:
        """The number of assignments."""
        return math.prod(self.sizes)

    @property
    def modules(self) -> tuple[str, ...]:
        """The module of each dimension: its name up to the last dot."""
        return tuple(name.rpartition(".")[0] for name in self.names)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each dimension chooses, an instruction or demos: its name after the last dot."""
        return tuple(name.rpartition(".")[2] for name in self.names)

    def __contains__(self, assignment: object) -> bool:
        return (
            isinstance(assignment, tuple)
            and len(assignment) == len(self.sizes)
            and all(
                isinstance(choice, int) and 0 <= choice < size
                for choice, size in zip(assignment, self.sizes, strict=True)
            )
        )

    def __iter__(self) -> Iterator[Assignment]:
        return itertools.product(*(range(size) for size in self.sizes))

    def check(self, assignment: Assignment) -> Assignment:
        """Return the assignment; ValueError where it is not one of this space."""
        if assignment not in self:
            raise ValueError(f"{assignment!r} is not an assignment of sizes {self.sizes}")
        return assignment

    def new_share(self, assignment: Assignment, measured: Iterable[Assignment]) -> CallShare:
        """Return the share of calls that are new beside that of the `measured` most like it."""
        shares = (self._share_beside(other, assignment) for other in measured)
        return min(shares, key=lambda share: (share.expected, share.most), default=ALL_CALLS)

    def _share_beside(self, one: Assignment, other: Assignment) -> CallShare:
        pairs = zip(self.modules, one, other, strict=True)
        # In order, as sums of floats depend on it.
        changed = dict.fromkeys(module for module, before, after in pairs if before != after)
        if not changed or not self.shares:
            return ALL_CALLS if changed else NO_CALLS
        by_module = dict(zip(dict.fromkeys(self.modules), self.shares, strict=True))
        new = [by_module[module] for module in changed]
        least = min(1.0, math.fsum(share.least for share in new))
        most = min(1.0, math.fsum(share.most for share in new))
        return CallShare(least, max(least, most))
