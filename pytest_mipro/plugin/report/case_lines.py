"""Format the cases of a verdict in 80 columns: what changed, what was missed, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from pytest_mipro.optimizer.statistics.intervals import PairedLift
from pytest_mipro.optimizer.statistics.notation import with_interval
from pytest_mipro.plugin.gate.error_reports import cause_of
from pytest_mipro.plugin.gate.verdict.verdict_types import CaseChange, Mean, Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.plugin.replies.circuit_breaker import NOT_TRIED
from pytest_mipro.runtime.text.number_words import counted

WIDTH = 80
_KEPT_TOGETHER = "\N{NO-BREAK SPACE}"
_FEEDBACK_LINES, _STEP_LINES, _LIST_LINES = 3, 2, 3
_ALL_LINES = 40
_SAME_CHARS = 100  # of an output, which is shortened behind them
_INDENT = "  "
# Where a test's own message ends without a full stop, and what was compared follows.
_COMPARED = re.compile(r"(?<=[^\s.:;,!?])\n(?=(?:got|assert) )")


@dataclass(frozen=True)
class Lines:
    """How many lines to write, and how wide: `everything` (-v) shows all cases in full.

    Otherwise `most` cases of a kind are shown with their feedback.
    """

    everything: bool = False
    width: int = WIDTH
    most: int = 5

    def wrapped(self, text: str, width: int, most: int) -> list[str]:
        """Return the text in lines of `width`, the end cut off beyond `most` lines."""
        most, text = _ALL_LINES if self.everything else most, " ".join(text.split())
        return wrap(text, width, max_lines=most, placeholder=" …", break_on_hyphens=False)


def format_cases(verdict: Verdict, lines: Lines) -> list[str]:
    """Return a paragraph for each kind of case: broken, regressed, missed; the worst first."""
    by_cause: dict[str, list[tuple[CaseResult, str]]] = {}
    for result in verdict.broken:
        text = result.outcome.error or result.outcome.failure
        by_cause.setdefault(cause_of(result.id, text), []).append((result, "error"))
    broken = sorted(by_cause.items(), key=lambda item: item[0].startswith(NOT_TRIED))
    missed = [[(result, f"{result.score:.2f}")] for result in verdict.missed]
    return [
        *_paragraph("broken", [group for _, group in broken], verdict, lines),
        *format_regressed(verdict, lines),
        *_paragraph("missed", missed, verdict, lines),
    ]


def format_regressed(verdict: Verdict, lines: Lines) -> list[str]:
    """Return the paragraph of the regressed cases alone."""
    changes = []
    for change in verdict.comparison.regressed if verdict.comparison else ():
        before, now = change.before, change.before + change.gain
        digits = 2 if f"{before:.2f}" != f"{now:.2f}" else 4
        changes.append([(change.result, f"{before:.{digits}f} → {now:.{digits}f}")])
    return _paragraph("regressed from the lock", changes, verdict, lines)


def list_cases(what: str, shown: Iterable[str], lines: Lines) -> list[str]:
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
        text = f"{head}{', '.join(names[:count])}{end}"
        wrapped = wrap(text, lines.width, subsequent_indent=_INDENT, break_on_hyphens=False)
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


def format_mean(mean: Mean) -> str:
    """Return a mean with its interval, as "0.600 (0.23 to 0.88)"."""
    if mean.mean is None:
        return "no score"
    return with_interval(mean.mean, mean.interval.low, mean.interval.high)


def format_lift(lift: PairedLift) -> str:
    """Return a difference from the lock with its interval, as "+0.100 (-0.02 to +0.21)"."""
    return with_interval(lift.mean, lift.low, lift.high, "+")


def _paragraph(
    title: str,
    groups: Sequence[Sequence[tuple[CaseResult, str]]],
    verdict: Verdict,
    lines: Lines,
) -> list[str]:
    """Return a paragraph of cases with their scores; a group is shown by its first case."""
    if not groups:
        return []
    shown, total = groups[: None if lines.everything else lines.most], sum(map(len, groups))
    paragraph = [f"{title}: {counted(total, 'case')}"]
    for (first, score), *others in shown:
        block = _case(first, score, verdict, lines)
        if others:
            ids = (short_id(result, verdict) for result, _ in others)
            inner = replace(lines, width=lines.width - 6)
            tried = not first.outcome.error.startswith(NOT_TRIED)
            what = "the same error" if tried else "not tried either"
            block += [f"    {line}" for line in list_cases(what, ids, inner)]
        paragraph += [f"{_INDENT}{line}" for line in block]
    more = total - sum(map(len, shown))
    return [*paragraph, f"{_INDENT}and {more:,} more (-v shows all)"] if more else paragraph


def _case(result: CaseResult, score: str, verdict: Verdict, lines: Lines) -> list[str]:
    outcome, room = result.outcome, lines.width - len(_INDENT)
    head = f"{short_id(result, verdict)}  {score}"
    told = outcome.error or outcome.failure or _COMPARED.sub("; ", outcome.feedback)
    text = " ".join(told.split())
    block = [f"{head}  {text}".rstrip()]
    if len(head) + len(text) + 2 > room:
        block = [head, *(f"    {s}" for s in lines.wrapped(text, room - 4, _FEEDBACK_LINES))]
    inner = replace(lines, width=room - 4)
    return block + [f"    {line}" for line in step_lines(result, text, inner)]


def step_lines(result: CaseResult, known: str, lines: Lines) -> list[str]:
    """Return what the modules of a case gave, without the error that the text `known` shows."""
    block = []
    for step in result.steps:
        if step.failed and step.output[:_SAME_CHARS] in known:  # the call that ended the case
            continue
        first, *rest = lines.wrapped(f"{step.module}: {step.output}", lines.width - 2, _STEP_LINES)
        block += [f"- {first}", *(f"  {line}" for line in rest)]
    return block
