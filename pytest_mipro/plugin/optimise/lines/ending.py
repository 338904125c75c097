"""How a study ended, in five lines: score, decision, files, cost and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_mipro.optimizer.run.events import Measured
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.statistics.notation import with_interval
from pytest_mipro.optimizer.study.amount import describe_amount, total
from pytest_mipro.optimizer.study.settings import Effort
from pytest_mipro.pages import page
from pytest_mipro.plugin.optimise.screen.study_watch import format_time
from pytest_mipro.plugin.report.contents import describe_demand
from pytest_mipro.runtime.replies.recorded import RECORD
from pytest_mipro.runtime.text.number_words import counted

_SHOWN_TESTS = 3
_SHOWN_FILES = 4
_HELP = f"more: {page('optimising.md#when-nothing-is-better')}"


@dataclass(frozen=True)
class Ending:
    """A study that came to its decision: how it ended, and what came of its files.

    `name` is the study's name as people see it. `failing` are the tests whose gate fails under the
    accepted finalist, and why; `written` the paths that were written, as they are shown.
    `withheld` says why nothing is written for an accepted finalist ("" where it is), and `then`
    what to do about it; `kept` is the file of a refused one. It took `seconds`. `larger` is the
    next larger effort, None where there is none that the rows carry. `recorded`: the study has a
    file of recorded replies, which holds none to a new prompt.
    """

    name: str
    result: StudyResult
    seconds: float
    larger: Effort | None
    failing: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    withheld: str = ""
    then: str = ""
    kept: str = ""
    recorded: bool = False

    @property
    def better(self) -> bool:
        """Whether there are prompts to write."""
        return bool(self.result.prompts)

    def lines(self) -> list[tuple[str, str]]:
        """Return the five lines, each with its label."""
        decision = "; ".join(filter(None, (self._demand, self.result.reason, self._gate)))
        return [
            ("score", self._score()),
            ("decision", decision),
            ("files", self._files()),
            ("cost", self._cost()),
            ("next", self.next()),
        ]

    def line(self) -> str:
        """Return all of it in one line, for little output."""
        told = "better" if self.better else "nothing better"
        told = f"{told} ({self._demand})" if self._demand else told
        files = f"wrote {counted(len(self.written), 'file')}" if self.written else self._files()
        then = "" if self.written and not self.recorded else f"; {self.next()}"
        return f"{self.name}: {told}; {self._deciding()}; {files}; {self._cost()}{then}"

    @property
    def _demand(self) -> str:
        return describe_demand(self.result)

    @property
    def _gate(self) -> str:
        return "; ".join(f"still fails {test}" for test in self.failing)

    def _deciding(self) -> str:
        result = self.result
        if result.deciding_after is None:
            return f"{_figures(result.before)} on all rows, as before"
        lift = result.decision.lift if result.decision else None
        gain = f", lift {with_interval(lift.mean, lift.low, lift.high, '+')}" if lift else ""
        pair = f"{_figures(result.deciding_before)} → {_figures(result.deciding_after)}"
        rows = counted(result.deciding_after.rows, f"{result.decided_on} row")
        return f"{pair} on {rows}{gain}"

    def _score(self) -> str:
        after, before = self.result.after, self.result.before
        if after is None:
            return self._deciding()
        gains = {name: mean - before.tests[name] for name, mean in after.tests.items()}
        tests = [  # what fell, first
            f"{name} {before.tests[name]:.3f} → {after.tests[name]:.3f}"
            for name in sorted(gains, key=lambda name: (gains[name], name))
        ]
        shown = ", ".join(_some(tests, _SHOWN_TESTS)) if len(tests) > 1 else ""
        every = f"all rows, the search's too: {before.objective:.3f} → {after.objective:.3f}"
        return f"{self._deciding()}; {every}{f' ({shown})' if shown else ''}"

    def _files(self) -> str:
        if self.written:
            return f"wrote {', '.join(_some(self.written, _SHOWN_FILES))}"
        if self.kept:
            return f"nothing written; the refused finalist is kept: {self.kept}"
        if self.better:
            return f"nothing written: {self.withheld or 'its prompts are those that are there'}"
        return "nothing written: the committed prompts stay"

    def _cost(self) -> str:
        result = self.result
        spent = describe_amount(total(entry.amount for entry in result.spending))
        billed = describe_amount(result.billed)
        took = spent if billed == spent else f"{spent}; billed {billed}"
        ended = f"; {result.ended}" if result.ended else ""
        return f"{took}; {format_time(self.seconds)}{ended}"

    def next(self) -> str:
        """Return the next command, or what to try where nothing is better."""
        if self.written and self.recorded:
            return f"git status, git diff, {RECORD}, then commit prompts, lock and recorded replies"
        if self.written:
            return "git status, git diff, pytest, then commit the prompts with the lock"
        if self.better or self.then:
            return self.then or "pytest"
        decision = self.result.decision
        larger = [f"--mipro-effort={self.larger}"] if self.larger else []
        tries = [*larger, "--mipro-seed=1", "--mipro-proposer-model=a stronger one"]
        if self.result.cut_short:
            tries = ["a higher limit: the same command then goes on from the cache"]
        if decision is not None and decision.on_demand:
            first = tries if self.result.cut_short else ["more rows", *larger]
            tries = ["--mipro-accept=likely, which writes the finalist", *first]
        return f"try {', or '.join(tries)}; {_HELP}"


def _some(items: Sequence[str], most: int) -> list[str]:
    more = [f"{len(items) - most} more"] if len(items) > most else []
    return [*items[:most], *more]


def _figures(measured: Measured) -> str:
    interval = measured.interval
    return with_interval(measured.objective, interval.low, interval.high)
