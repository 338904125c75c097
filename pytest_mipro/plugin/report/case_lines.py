"""The cases of a verdict as lines of at most 80 columns: what changed, what was missed, and why."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.plugin.config.words import counted
from pytest_mipro.plugin.gate.error_reports import cause_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mipro.plugin.gate.verdict import CaseChange, Verdict
    from pytest_mipro.plugin.measuring.report_data import CaseResult

WIDTH = 80
_KEPT_TOGETHER = "\N{NO-BREAK SPACE}"
_FEEDBACK_LINES, _STEP_LINES, _LIST_LINES = 3, 2, 3
_ALL_LINES = 40
_SAME_CHARS = 100  # of an output, which is shortened behind them
_INDENT = "  "


@dataclass(frozen=True)
class Lines:
    """How many lines are made, and how wide: `everything` (-v) shows all that each case says.

    Else `most` cases of a kind are told with their feedback.
    """

    everything: bool = False
    width: int = WIDTH
    most: int = 5

    @property
    def cases(self) -> int | None:
        """How many cases of a kind are told with feedback, None: all."""
        return None if self.everything else self.most

    def wrapped(self, text: str, width: int, most: int) -> list[str]:
        """Return the text in lines of `width`, the end cut off beyond `most` lines."""
        most = _ALL_LINES if self.everything else most
        return textwrap.wrap(
            " ".join(text.split()), width, max_lines=most, placeholder=" …", break_on_hyphens=False
        )


def told_cases(verdict: Verdict, lines: Lines) -> list[str]:
    """Return a paragraph for each kind of case: broken, regressed, missed; the worst first."""
    comparison = verdict.comparison
    told = _told_broken(verdict, lines)
    if comparison is not None:
        changes = [(change.result, change_shown(change)) for change in comparison.regressed]
        told += _paragraph("regressed from the lock", changes, verdict, lines)
    missed = [(result, f"{result.score:.2f}") for result in verdict.missed]
    return told + _paragraph("missed", missed, verdict, lines)


def told_regressed(verdict: Verdict, lines: Lines) -> list[str]:
    """Return the paragraph of the regressed cases alone."""
    regressed = verdict.comparison.regressed if verdict.comparison else ()
    changes = [(change.result, change_shown(change)) for change in regressed]
    return _paragraph("regressed from the lock", changes, verdict, lines)


def listed_cases(what: str, shown: Iterable[str], lines: Lines) -> list[str]:
    """Return cases in a few lines: as many as they hold, then how many more."""
    names = [name.replace(" ", _KEPT_TOGETHER) for name in shown]
    if not names:
        return []
    head = f"{what} ({len(names):,}): "
    # No more than these can fit, at one letter and a comma each.
    most = len(names) if lines.everything else min(len(names), lines.width * _LIST_LINES // 3)
    wrapped: list[str] = []
    for count in range(most, 0, -1):
        more = len(names) - count
        end = f", and {more:,} more" if more else ""
        wrapped = textwrap.wrap(
            f"{head}{', '.join(names[:count])}{end}",
            lines.width,
            subsequent_indent=_INDENT,
            break_on_hyphens=False,
        )
        if lines.everything or len(wrapped) <= _LIST_LINES:
            break
    return [line.replace(_KEPT_TOGETHER, " ") for line in wrapped]


def short_id(result: CaseResult, verdict: Verdict) -> str:
    """Return what tells the case from others of its test: the parameters, without brackets."""
    inner = result.id.removeprefix(verdict.plan.name)
    return inner[1:-1] if inner.startswith("[") and inner.endswith("]") else result.id


def with_score(result: CaseResult, verdict: Verdict) -> str:
    """Return the short id of a case, with its score where that is neither 0 nor 1."""
    name = short_id(result, verdict)
    return name if result.score in (None, 0.0, 1.0) else f"{name} {result.score:.2f}"


def with_gain(change: CaseChange, verdict: Verdict) -> str:
    """Return the short id of a case, with its gain where that is not from 0 to 1."""
    name = short_id(change.result, verdict)
    return name if abs(change.gain) == 1 else f"{name} {change.gain:+.2f}"


def change_shown(change: CaseChange) -> str:
    """Return the scores before and now, as "1.00 → 0.00"."""
    now = change.before + change.gain
    digits = 2 if f"{change.before:.2f}" != f"{now:.2f}" else 4
    return f"{change.before:.{digits}f} → {now:.{digits}f}"


def _told_broken(verdict: Verdict, lines: Lines) -> list[str]:
    """Return the paragraph of broken cases; an error that several share is told once."""
    by_cause: dict[str, list[CaseResult]] = {}
    for result in verdict.broken:
        text = result.outcome.error or result.outcome.failure
        by_cause.setdefault(cause_of(result.id, text), []).append(result)
    if not by_cause:
        return []
    told, groups = [f"broken: {counted(len(verdict.broken), 'case')}"], list(by_cause.values())
    for group in groups[: lines.cases]:
        shown = _case(group[0], "error", verdict, lines)
        if len(group) > 1:
            ids = (short_id(result, verdict) for result in group[1:])
            inner = replace(lines, width=lines.width - 6)
            shown += [f"    {line}" for line in listed_cases("the same error", ids, inner)]
        told += [f"{_INDENT}{line}" for line in shown]
    more = len(verdict.broken) - sum(map(len, groups[: lines.cases]))
    return [*told, f"{_INDENT}and {more:,} more (-v shows all)"] if more else told


def _paragraph(
    what: str, cases: Sequence[tuple[CaseResult, str]], verdict: Verdict, lines: Lines
) -> list[str]:
    if not cases:
        return []
    told = [f"{what}: {counted(len(cases), 'case')}"]
    for result, score in cases[: lines.cases]:
        told += [f"{_INDENT}{line}" for line in _case(result, score, verdict, lines)]
    more = len(cases) - len(cases[: lines.cases])
    return [*told, f"{_INDENT}and {more:,} more (-v shows all)"] if more else told


def _case(result: CaseResult, score: str, verdict: Verdict, lines: Lines) -> list[str]:
    head = f"{short_id(result, verdict)}  {score}"
    outcome = result.outcome
    said = " ".join((outcome.error or outcome.failure or outcome.feedback).split())
    room = lines.width - len(_INDENT)
    if len(head) + len(said) + 2 <= room:
        told = [f"{head}  {said}".rstrip()]
    else:
        inner = lines.wrapped(said, room - 4, _FEEDBACK_LINES)
        told = [head, *(f"    {line}" for line in inner)]
    for step in result.steps:
        if outcome.error and step.output[:_SAME_CHARS] in said:  # the call that broke the case
            continue
        text = f"{step.module}: {step.output}"
        first, *rest = lines.wrapped(text, room - 6, _STEP_LINES) or [""]
        told += [f"    - {first}", *(f"      {line}" for line in rest)]
    return told
