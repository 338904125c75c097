"""Draw a module's demo sets: how many demos, and in which way; a round carries on what paid.

How many demos help, and which, differs from model to model and from task to task, so both are
searched. The first sets are far apart in number. Later ones start from the set that paid best: a
larger one that extends it, its first half, one extended in another way, and as many demos drawn so.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle, islice

from pytest_mipro.optimizer.rounds.demo_pools import score_of
from pytest_mipro.optimizer.search.assessments import MAX_LOSS
from pytest_mipro.optimizer.study.settings import FIRST_DEMOS
from pytest_mipro.runtime.prompts.prompt import Demo
from pytest_mipro.runtime.score import ROUNDING

WAYS = ("random", "failing", "cover")
"""How a set is drawn: at random in the pool's own proportions; rows that fail today first; or each
output's k-th demo before any (k+1)-th."""
# The numbers after the first, in powers of two from it: apart, so that a trend shows.
_STEPS = (0, -2, 1, -1, 2, -3)
_WISHES = 4  # are drawn for each set at most: a small pool gives some again


@dataclass(frozen=True)
class DemoSet:
    """A set on offer: the `way` it was drawn in, and its `effect` on the score (None: untried)."""

    demos: tuple[Demo, ...]
    way: str = WAYS[0]
    effect: float | None = None


@dataclass(frozen=True)
class DemoSource:
    """What sets are drawn from: one module's `pool`, and the `failing` rows.

    A set has at most `most` demos (None: as many as fit), and these at most `limit` bytes. The
    program has so many `modules` that are shown demos. By their `scores`, demos come first that are
    not below the pool's mean: a reply that a graded test let pass may still be half wrong, and a
    model repeats what it is shown.
    """

    pool: Sequence[Demo]
    failing: Collection[str]
    limit: int
    most: int | None
    rng: random.Random
    modules: int = 1
    scores: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first: dict[str, Demo] = {}  # of demos with equal inputs, as of equal rows
        for demo in self.pool:
            first.setdefault(json.dumps(dict(demo.inputs), sort_keys=True), demo)
        object.__setattr__(self, "pool", tuple(first.values()))

    @property
    def numbers(self) -> list[int]:
        """The numbers of demos to choose from: 2, 4, 8 … and the largest that fits."""
        fits = len(_within(self._shuffled(), self.most, self.limit))
        return [*(2**power for power in range(1, fits.bit_length()) if 2**power < fits), fits]

    def draw(self, number: int, way: str, start: tuple[Demo, ...] = ()) -> DemoSet:
        """Return a set of up to `number` demos, of which the first are the good ones of `start`."""
        start = self.refreshed(start)
        rows = {demo.case for demo in start}
        left = [demo for demo in self._shuffled() if demo.case not in rows]
        room = self.limit - sum(map(length_of, start))
        ordered = sorted(self._ordered(left, way), key=lambda demo: not self._is_good(demo))
        more = _within(ordered, number - len(start), room)
        self.rng.shuffle(more)  # or the model may read a turn out of the order
        return DemoSet((*start, *more), way)

    def refreshed(self, demos: tuple[Demo, ...]) -> tuple[Demo, ...]:
        """Return the demos that are good, each with the reply of its row that scored highest.

        They are no longer in all than the limit, or than they were.
        """
        known = {demo.case: demo for demo in self.pool}
        best = (max(demo, known.get(demo.case, demo), key=self._score) for demo in demos)
        limit = max(self.limit, sum(map(length_of, demos)))
        return tuple(_within(filter(self._is_good, best), None, limit))

    def _is_good(self, demo: Demo) -> bool:
        return self._score(demo) >= self._mean - ROUNDING

    def _score(self, demo: Demo) -> float:
        return score_of(demo, self.scores)

    @cached_property
    def _mean(self) -> float:
        return sum(map(self._score, self.pool)) / max(1, len(self.pool))

    def _shuffled(self) -> list[Demo]:
        return self.rng.sample(self.pool, len(self.pool))

    def _ordered(self, left: list[Demo], way: str) -> Iterable[Demo]:
        if way == "failing":
            return sorted(left, key=lambda demo: demo.case not in self.failing)
        return _covering(left) if way == "cover" else left


def next_sets(source: DemoSource, offered: Sequence[DemoSet], count: int) -> list[DemoSet]:
    """Return up to `count` sets to try beside those `offered`, the committed one first of these."""
    numbers = source.numbers
    if numbers == [0]:
        return []
    base = offered[base_of(offered)]
    wishes = (
        _from(base, source, offered)
        if base.demos
        else _afresh(source, sum(bool(item.demos) for item in offered[1:]))
    )
    known, made = [item.demos for item in offered], list[DemoSet]()
    for item in islice(wishes, _WISHES * count):
        if len(made) == count:
            break
        if item.demos not in known:
            known.append(item.demos)
            made.append(item)
    return made


def base_of(offered: Sequence[DemoSet]) -> int:
    """Return the place of the set that paid best, or of a shorter one that loses little.

    The next sets start from it.
    """
    tried = [(place, item.effect) for place, item in enumerate(offered) if item.effect is not None]
    best = max(effect for _, effect in tried)
    equals = [place for place, effect in tried if effect >= best - MAX_LOSS]
    return min(equals, key=lambda place: sum(map(length_of, offered[place].demos)))


def _from(base: DemoSet, source: DemoSource, offered: Sequence[DemoSet]) -> Iterator[DemoSet]:
    """Yield the neighbours of a set that paid, over and over, with ways from good to bad."""
    size = len(base.demos)
    larger = next((number for number in source.numbers if number > size), None)
    for way in cycle(_ranked(offered, base.way)):
        if larger:
            yield source.draw(larger, way, base.demos)
        other = source.draw(size, way)
        if way != base.way or not larger:
            yield other
        if size > 1 and way == base.way:
            yield DemoSet(source.refreshed(base.demos)[: size // 2], way)


def _ranked(offered: Sequence[DemoSet], first: str) -> list[str]:
    """Return the ways: `first`, then those untried, then by what they brought on average."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for item in offered:
        if item.demos and item.effect is not None:
            found[item.way].append(item.effect)
    mean = {way: sum(got) / len(got) if got else math.inf for way, got in found.items()}
    return sorted(WAYS, key=lambda way: (way != first, -mean[way]))


def _afresh(source: DemoSource, offered: int) -> Iterator[DemoSet]:
    """Yield sets of all numbers and ways in turn, as if `offered` of them had been there before."""
    wanted = [FIRST_DEMOS / source.modules * 2**step for step in _STEPS]
    nearest = [min(source.numbers, key=lambda n: abs(math.log(n / goal))) for goal in wanted]
    numbers = list(dict.fromkeys(nearest))
    turn = offered
    while True:
        yield source.draw(numbers[turn % len(numbers)], WAYS[turn // 2 % len(WAYS)])
        turn += 1


def length_of(demo: Demo) -> int:
    """Return how many bytes of UTF-8 a demo takes, by estimate."""
    shown = json.dumps([dict(demo.inputs), demo.output, demo.reasoning], ensure_ascii=False)
    return len(shown.encode("utf-8", "surrogatepass"))


def _within(demos: Iterable[Demo], most: int | None, limit: int) -> list[Demo]:
    """Return the first demos that fit; those that would exceed the limit are skipped."""
    taken: list[Demo] = []
    for demo in demos:
        if most is not None and len(taken) >= most:
            break
        length = length_of(demo)
        if length <= limit:
            taken.append(demo)
            limit -= length
    return taken


def _covering(left: Sequence[Demo]) -> list[Demo]:
    """Return the demos in their order, but each output's k-th one before any (k+1)-th."""
    turns: Counter[str] = Counter()
    ranked = []
    for place, demo in enumerate(left):
        output = json.dumps(demo.output, sort_keys=True)
        turns[output] += 1
        ranked.append((turns[output], place, demo))
    return [demo for _, _, demo in sorted(ranked, key=lambda item: item[:2])]
