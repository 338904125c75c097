"""A study as it is watched: where it stands, what it has spent, how fast it goes, what is left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from pytest_mipro.optimizer.run.events import Event
from pytest_mipro.optimizer.statistics.notation import with_interval
from pytest_mipro.optimizer.study.amount import Amount, describe_money
from pytest_mipro.plugin.optimise.screen.standing import FOLLOWING, Standing
from pytest_mipro.runtime.text.number_words import counted

_RATE_SECONDS = 10.0
_MINUTE, _HOUR = 60, 3600
Clock = Callable[[], float]


class StudyWatch:
    """Where a study stands, what it has spent, and how fast it goes, at any moment.

    `replies` returns how many replies the study got so far, `billed` what is billed, calls of
    earlier runs that did not finish included, and `under_way` how many calls wait for a reply.
    `clock` counts seconds. One thread tells events, another may draw.
    """

    def __init__(
        self,
        study: str,
        replies: Callable[[], int] = lambda: 0,
        billed: Callable[[], Amount] = Amount,
        under_way: Callable[[], int] = lambda: 0,
        clock: Clock = time.monotonic,
    ) -> None:
        self.standing = Standing(study)
        self._replies = replies
        self._billed = billed
        self._under_way = under_way
        self._clock = clock
        self._began = clock()
        self._seen: deque[tuple[float, int]] = deque([(self._began, 0)])

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        self.standing = self.standing.after(event)

    @property
    def seconds(self) -> float:
        """The time that has passed."""
        return self._clock() - self._began

    def line(self, *, ended: bool = False) -> str:
        """Return one line: stage, score, spent, and time; after it `ended` nothing is under way."""
        where = self.standing
        done = f"{where.stage} {where.steps}".rstrip()
        pace = [format_time(self.seconds)] if ended else [self.answers(), self.time()]
        best = [] if where.best is None else [f"best {where.best:.3f}"]
        return "; ".join([done, *best, self.spent(), *pace])

    def rows(self) -> list[tuple[str, str]]:
        """Return the area's rows below its bar, each with a label."""
        return [
            ("score", self.score()),
            ("spent", self.spent()),
            ("calls", self.answers()),
            ("time", self.time()),
        ]

    def score(self) -> str:
        """Return the best score so far against the committed prompts' one."""
        before, best, lift = self.standing.before, self.standing.best, self.standing.lift
        if before is None and self.standing.stage == FOLLOWING:
            return "the process that leads tells it"
        if before is None:
            return "the committed prompts are being measured"
        interval = before.interval
        now = with_interval(before.objective, interval.low, interval.high)
        if best is None or lift is None or not lift.mean:
            return f"{now} under the committed prompts, the best so far"
        # The committed prompts' score on validation rows: what stands here adds up.
        gain = with_interval(lift.mean, lift.low, lift.high, "+")
        rows = counted(lift.rows, "validation row")
        return f"{best - lift.mean:.3f} → {best:.3f}, lift {gain} on {rows}"

    def spent(self) -> str:
        """Return what is billed, against the limits."""
        billed, limits = self._billed(), self.standing.limits
        words = [_of(f"{billed.calls:,}", limits.calls and f"{limits.calls:,}", " calls billed")]
        if billed.tokens is not None:
            most = limits.tokens and f"{limits.tokens:,}"
            words.append(_of(f"{billed.tokens:,}", most, " tokens"))
        if billed.nanodollars or limits.nanodollars:
            most = limits.nanodollars and describe_money(limits.nanodollars)
            words.append(_of(describe_money(billed.nanodollars or 0), most, ""))
        return ", ".join(words)

    def answers(self) -> str:
        """Return how many replies came, cached or not, how fast, and how many are waited for."""
        replies = self._replies()
        rate = f"{self._rate(replies):,.0f} a second"
        return f"{replies:,} answered, cached ones too; {rate}, {self._under_way()} under way"

    def _rate(self, replies: int) -> float:
        now = self._clock()
        while len(self._seen) > 1 and now - self._seen[1][0] > _RATE_SECONDS:
            self._seen.popleft()
        self._seen.append((now, replies))
        then, before = self._seen[0]
        return (replies - before) / max(1.0, now - then)

    def time(self) -> str:
        """Return the time that has passed, and about what is left."""
        passed, share = self.seconds, self.standing.share
        left = None if not share else passed * (1 - share) / share
        if (most := self.standing.max_seconds) is not None:
            rest = max(0.0, most - passed)
            left = rest if left is None else min(left, rest)
        return format_time(passed) + ("" if left is None else f", about {format_time(left)} left")


def _of(value: str, most: str | int | None, unit: str) -> str:
    return f"{value}{f' of {most}' if most is not None else ''}{unit}"


def format_time(seconds: float) -> str:
    """Return seconds as "0:07", "12:30" or "1:02:03"."""
    whole = int(seconds)
    hours = f"{whole // _HOUR}:" if whole >= _HOUR else ""
    minutes = whole % _HOUR // _MINUTE
    return f"{hours}{minutes:{'02' if hours else ''}}:{whole % _MINUTE:02}"
