"""Draw the optimiser's events as lines: live on a terminal, few elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatchmethod
from typing import Protocol

from pytest_mipro.optimizer.proposing.proposer_models import unusable
from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    CandidatesReady,
    Decided,
    Event,
    FinalistChosen,
    LeaderKnown,
    LeadTaken,
    LessonsLearnt,
    Measured,
    Plan,
    ProcessLost,
    ProposalsMade,
    StageProgress,
    StageStarted,
    TrialFinished,
)
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.optimizer.statistics.notation import with_interval
from pytest_mipro.optimizer.study.case import CaseCost
from pytest_mipro.plugin.optimise.lines.plan_lines import describe_plan
from pytest_mipro.plugin.optimise.lines.spending_lines import describe_spending
from pytest_mipro.plugin.optimise.screen.labelled_lines import labelled
from pytest_mipro.runtime.prompts.prompt_file import PROMPT_SUFFIXES
from pytest_mipro.runtime.signature.signature import VARIANT_SIGN
from pytest_mipro.runtime.text.number_words import counted

_SHOWN_CASES = 5


class Screen(Protocol):
    """Where lines go: on a terminal (`live`), or elsewhere; `verbose` where much is wanted."""

    live: bool
    verbose: bool

    @property
    def width(self) -> int:
        """The columns of a line."""
        ...

    def line(self, text: str, **markup: bool) -> None:
        """Write a line that stays."""
        ...


class Progress:
    """Draws one study's events on a screen.

    `alone` names the fixtures that make a test's cases run one at a time.
    """

    def __init__(self, screen: Screen, alone: Mapping[str, Sequence[str]] | None = None) -> None:
        self._screen = screen
        self._alone = alone or {}
        self._done = self._full = 0
        self._tried: set[Assignment] = set()

    def __call__(self, event: Event) -> None:
        """Draw an event."""
        self._draw(event)

    @singledispatchmethod
    def _draw(self, event: Event) -> None:
        raise TypeError(f"no line for {event!r}")

    @_draw.register
    def _(self, event: StageStarted) -> None:
        runs = counted(event.total, "case run")
        text = {
            "baseline": f"{runs} under the committed prompts",
            "proposals": "",  # the line of their round tells what came of them
            "search": "trials on minibatches, the leaders on all validation rows",
            "decision": f"{runs} of the finalist, on the rows that decide",
            "final pass": f"{runs} as the gate will measure them",
        }[event.stage]
        if text and not self._screen.live:  # where there is an area, it shows the stage
            self._say(event.stage, text)

    @_draw.register
    def _(self, event: StageProgress | LessonsLearnt | LeaderKnown) -> None:
        """Draw nothing: the area shows how a stage goes, and the record what was learnt."""

    @_draw.register
    def _(self, event: BaselineMeasured) -> None:
        counts = f"{counted(event.measured.cases, 'case')} of {counted(event.measured.rows, 'row')}"
        if event.clusters not in (None, event.measured.rows):
            counts += f" ({counted(event.clusters, 'cluster')})"
        self._say("before", f"{_figures(event.measured)} on {counts}")
        for test, mean in event.measured.tests.items():
            self._say("", f"{test}: {mean:.3f}")
        if event.removed:
            shown = ", ".join(event.removed[:_SHOWN_CASES])
            more = len(event.removed) - _SHOWN_CASES
            self._say("skipped", shown + (f" and {more:,} more" if more > 0 else ""))

    @_draw.register
    def _(self, event: Plan) -> None:
        self._say_all("plan", describe_plan(event, self._alone))

    @_draw.register
    def _(self, event: ProposalsMade) -> None:
        """Draw what was lost: the round's line counts instructions, the record has the texts."""
        halved = sum(proposal.halvings > 0 for proposal in event.proposals)
        if halved:
            self._say(
                "proposals",
                f"round {event.round}: {halved} of {counted(len(event.proposals), 'request')} "
                "longer than the model takes: asked again with fewer examples",
            )
        if lost := event.skipped or unusable(event.proposals):
            self._say("proposals", f"round {event.round}: {lost}", yellow=True)

    @_draw.register
    def _(self, event: CandidatesReady) -> None:
        shown = _short_names(event.instructions)
        width = max(map(len, shown.values()), default=0)
        texts = [
            f"{shown[name]:<{width}}  {counted(count, 'instruction')}, "
            f"{counted(event.demo_sets[name], 'demo set')} of "
            f"{counted(event.pool[name], 'passing row')}{_too_long(event, name)}"
            for name, count in event.instructions.items()
        ]
        self._say_all(f"round {event.round}", texts)

    @_draw.register
    def _(self, event: TrialFinished) -> None:
        full = event.kind == "full"
        self._full += full
        self._done += 1
        again = event.assignment in self._tried and not full
        self._tried.add(event.assignment)
        if self._screen.live or full or event.dropped:
            leads = event.estimate == event.best and not event.dropped
            text = f"{event.number:>3}  "
            if event.dropped:
                text += f"dropped: {event.dropped}"
            else:
                rows = f"{'on all' if full else 'by estimate from'} {counted(event.rows, 'row')}"
                text += f"{event.estimate:.3f} {rows:<25}{event.calls:>6,} calls"
            text += "   the leader again" if again else ""
            if full and leads:
                text += f"   best {event.best:.3f}"
            self._say("trial", text, bold=full and leads)

    @_draw.register
    def _(self, event: FinalistChosen) -> None:
        if not event.is_best:
            chosen, best = _format_cost(event.price), _format_cost(event.best_price)
            self._say(
                "finalist",
                f"the cheapest of {event.equals} that the data can't tell apart: {chosen} a case "
                f"instead of {best}",
            )

    @_draw.register
    def _(self, event: Decided) -> None:
        accepted = event.decision is not None and event.decision.accepted
        self._say("decision", event.reason, green=accepted, yellow=not accepted)

    @_draw.register
    def _(self, event: LeadTaken) -> None:
        others = f"{event.leader} leads; this process runs cases for it"
        leads = "this process leads: it proposes and decides"
        self._say("shared", leads if event.mine else others)

    @_draw.register
    def _(self, event: ProcessLost) -> None:
        self._say("", f"{event.process} gave no sign of life; its work is done again")

    def _say(self, label: str, text: str, **markup: bool) -> None:
        for line in labelled(label, text, self._screen.width):
            self._screen.line(line, **markup)

    def _say_all(self, label: str, texts: Iterable[str]) -> None:
        for number, text in enumerate(texts):
            self._say("" if number else label, text)

    def finished(self, result: StudyResult, record: str) -> None:
        """Draw what a result rests on, where much is written: the end tells the rest.

        `record` is the path of the study's record as it is shown.
        """
        if not self._screen.verbose:
            return
        self._say("trials", self._counts(result.trials))
        self._say("calls", f"{_counted(result.calls, result.asked)}, {result.live:,} live")
        self._say_all("bill", describe_spending(result))
        self._say("record", f"{record}: what the proposers saw and said, and every trial")

    def _counts(self, programs: int) -> str:
        kinds = {"on a minibatch": self._done - self._full, "on all validation rows": self._full}
        parts = ", ".join(f"{count:,} {where}" for where, count in kinds.items() if count)
        return f"{self._done}{f': {parts}' if parts else ''}; {counted(programs, 'program')} scored"


def _too_long(event: CandidatesReady, name: str) -> str:
    many = event.too_long[name]
    every = "all" if many == event.pool[name] else f"{many:,}"
    return f", {every} too long for demos" if many else ""


def _counted(calls: int, asked: int) -> str:
    if asked < calls:  # what was dropped or cut off is counted with all that was reserved for it
        return f"{counted(calls, 'LM call')} counted, unfinished ones at worst; {asked:,} asked for"
    return f"{counted(calls, 'distinct LM call')} of {asked:,} asked for: {asked - calls:,} reused"


def _format_cost(price: CaseCost) -> str:
    return counted(round(price.tokens), "token") if price.cost is None else f"${price.cost:.5f}"


def _short_names(names: Iterable[str]) -> dict[str, str]:
    """Return the functions' names without their files', where these alone tell them apart.

    A prompt text is named by its file alone. A variant's name may hold dots.
    """
    short = {}
    for name in names:
        head, *file = name.partition(" (")  # a label may hold the prompt file, too
        plain, *variant = head.partition(VARIANT_SIGN)
        own = plain if plain.endswith(PROMPT_SUFFIXES) else plain.rpartition(".")[2]
        short[name] = "".join((own, *variant, *file))
    return short if len(set(short.values())) == len(short) else {name: name for name in short}


def _figures(measured: Measured) -> str:
    interval = measured.interval
    return with_interval(measured.objective, interval.low, interval.high)
