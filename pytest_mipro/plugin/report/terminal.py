"""Write the summary block of a study: each test's numbers and verdict, then what calls took."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from pytest_mipro.optimizer.proposing.proposer_models import unusable
from pytest_mipro.optimizer.run.events import ProposalsMade
from pytest_mipro.plugin.config.options import is_verbose
from pytest_mipro.plugin.gate.drift import drift_lines
from pytest_mipro.plugin.gate.provenance import (
    age_line,
    other_models,
    provenance_of,
    variant_lines,
)
from pytest_mipro.plugin.gate.state import RunState
from pytest_mipro.plugin.gate.update_lock import UPDATE_LOCK
from pytest_mipro.plugin.gate.verdict.rules import describe_detectable, format_p_value
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.measure import Status
from pytest_mipro.plugin.measuring.report_data import CallUsage
from pytest_mipro.plugin.replies.troubles import describe_troubles
from pytest_mipro.plugin.report.case_lines import (
    WIDTH,
    Lines,
    format_cases,
    format_lift,
    format_mean,
    format_regressed,
    list_cases,
    short_id,
    with_gain,
    with_score,
)
from pytest_mipro.plugin.report.contents import optimizations_of, troubles_of
from pytest_mipro.plugin.report.metric_lines import case_metrics, metric_means
from pytest_mipro.plugin.report.model_lines import model_lines
from pytest_mipro.runtime.text.number_words import counted

_SHOWN: tuple[Status, ...] = ("missed", "failed", "error", "skipped")
_COLOURS = {"passed": "green", "failed": "red", "incomplete": "red"}
_LABELS = {"passed": "passed: ", "failed": "FAILED: ", "incomplete": "INCOMPLETE: "}
_INDENT = "    "
_NAME = 32

# A line of the block, and pytest's markup for it.
Line = tuple[str, dict[str, bool]]


def write_summary(terminal: Any, state: RunState) -> None:
    """Write a block for each study of the run; `terminal` is pytest's terminal reporter."""
    lines = Lines(is_verbose(state.config), WIDTH - len(_INDENT), most=3)
    for study, verdicts in groupby(state.verdicts, key=lambda verdict: verdict.plan.study):
        listed = list(verdicts)
        terminal.write_sep("-", f"mipro: {study}")
        width = max(len(verdict.plan.name) for verdict in listed)
        for verdict in listed:
            name, numbers, words = _verdict_line(verdict, width)
            terminal.write(name + numbers)
            terminal.write_line(words, **{_COLOURS.get(verdict.status, "yellow"): True})
            for text, markup in _further_lines(verdict, lines):
                terminal.write_line(_INDENT + text, **markup)
        for text, markup in model_lines(listed):
            terminal.write_line(text, **markup)
        results = (result for verdict in listed for result in verdict.results)
        terminal.write_line(_usage_line(sum((result.usage for result in results), CallUsage())))
        for line in variant_lines(state.config, listed[0].plan.lock):
            terminal.write_line(line)
        if age := age_line(state.config, listed[0].plan.lock):
            terminal.write_line(age)
        for line in other_models(state.config, listed[0].plan.lock):
            terminal.write_line(line, yellow=True)


def write_lock_summary(terminal: Any, state: RunState) -> None:
    """Write what differs from the locks, and which were written; nothing where all is as locked."""
    differing = [line for path in provenance_of(state.config) for line in drift_lines(state, path)]
    written = getattr(state.config.pluginmanager.get_plugin(UPDATE_LOCK), "lines", [])
    if differing or written:
        terminal.write_sep("-", "mipro: lock")
    for line in differing:
        terminal.write_line(line, yellow=not line.startswith(" "))
    for line, succeeded in written:
        terminal.write_line(line, green=succeeded, red=not succeeded)


def write_troubles(terminal: Any, config: pytest.Config) -> None:
    """Write one line on the replies and proposals that were lost and on limits; none without any.

    What came of them are scores, which do not tell it.
    """
    announced = optimizations_of(config)
    locks = (troubles_of(config, lock) for lock in provenance_of(config))
    troubles = [each for found in (*locks, *announced.troubles.values()) for each in found]
    events = (event for known in announced.events.values() for event in known)
    made = (event.proposals for event in events if isinstance(event, ProposalsMade))
    proposals = [each for round_of in made for each in round_of]
    parts = [f"replies: {text}"] if (text := describe_troubles(troubles)) else []
    parts += [lost] if (lost := unusable(proposals)) else []
    parts += [result.ended for result in announced.results if result.cut_short]
    if parts:
        terminal.write_line(f"mipro: {'; '.join(parts)}", yellow=True)


def _verdict_line(verdict: Verdict, width: int) -> tuple[str, str, str]:
    """Return a test's name, its numbers, and the verdict in words.

    They are one line where it has room in 80 columns; else each continues on an indented line.
    """
    name, counts = verdict.plan.name.ljust(width), verdict.counts
    means = [format_mean(verdict.whole)] if verdict.whole.mean is not None else []
    kinds = [f"{counts[status]:,} {status}" for status in _SHOWN if counts.get(status)]
    parts = ["", *means, counted(sum(counts.values()), "case"), *kinds]
    numbers = "  ".join(parts)
    words = f"  {_LABELS.get(verdict.status, '')}{verdict.reason}"
    if len(name + numbers) > WIDTH:
        name = f"{verdict.plan.name}\n"
    if len(name) + len(numbers) + len(words) > WIDTH:
        words = "".join(f"\n{_INDENT}{line}" for line in _wrapped(words))
    return name, numbers, words


def _further_lines(verdict: Verdict, lines: Lines) -> list[Line]:
    """Return the further lines of a test, each with its markup; where part of it ran, few.

    The cases of a failed verdict are shown in full among the failures.
    """
    warned = [line for text in verdict.warnings for line in _wrapped(text)]
    warnings: list[Line] = [(line, {"yellow": True}) for line in warned]
    metrics = case_metrics(verdict, lines) if lines.everything else []
    if verdict.status == "partial":
        return [*warnings, *((line, {}) for line in metrics)]
    means = _wrapped(f"metrics: {text}") if (text := metric_means(verdict)) else []
    doubts = [line for doubt in verdict.doubts for line in _wrapped(doubt)]
    detectable = describe_detectable(verdict) if lines.everything else []
    numbers = [*means, *_holdout_lines(verdict), *_lock_lines(verdict), *detectable]
    return [
        *warnings,
        *((line, {"yellow": True}) for line in doubts),
        *((line, {}) for line in (*numbers, *_sample_lines(verdict, lines))),
        *_group_lines(verdict),
        *((line, {}) for line in (*_case_lines(verdict, lines), *metrics)),
    ]


def failure_lines(verdict: Verdict, *, everything: bool) -> list[str]:
    """Return the lines under the reason of a failed verdict: doubts, groups, cases."""
    return [
        *(line for doubt in verdict.doubts for line in _wrapped(doubt)),
        *describe_detectable(verdict),
        *(text for text, _ in _group_lines(verdict)),
        *format_cases(verdict, Lines(everything)),
    ]


def _group_lines(verdict: Verdict) -> list[Line]:
    """Return the table of a test's groups, the worst first; none without groups."""
    groups, title = verdict.groups, verdict.plan.group or ""
    if not groups:
        return []
    names = [" ".join(group.name.split()) for group in groups]  # a column may be of several lines
    width = min(_NAME, max(len(title), *map(len, names)))
    tested = any(group.p_value is not None for group in groups)
    head = f"{title[:width]:{width}}  cases  mean"
    found: list[Line] = [(head + (f"{'p':>26}" if tested else ""), {"bold": True})]
    for group, name in zip(groups, names, strict=True):
        shown = name if len(name) <= width else f"{name[: width - 1]}…"
        line = f"{shown:{width}}  {group.mean.cases:5,}  {format_mean(group.mean)}"
        if tested:
            line += f"  {format_p_value(group.p_value):>8}{'  FAILED' if group.failed else ''}"
        found.append((line, {"red": True} if group.failed else {}))
    return found


def _usage_line(usage: CallUsage) -> str:
    """Return what the module calls took; the cost only where it is known and not zero."""
    if not usage.calls:
        return "no LM calls"
    live = usage.calls - usage.cached
    cost = "; cost unknown" if usage.cost is None else ""
    if usage.cost:
        cost = f"; ${usage.cost:.4f}"
    calls = f"{counted(usage.calls, 'LM call')}: {usage.cached:,} cached, {live:,} live"
    return f"{calls}; {counted(usage.tokens, 'token')}{cost}"


def _holdout_lines(verdict: Verdict) -> list[str]:
    if verdict.holdout is None or verdict.whole.mean is None:
        return []
    judged = ", which is judged" if verdict.judged_on == "holdout" else ""
    cases = counted(verdict.holdout.cases, "case")
    return [f"holdout {format_mean(verdict.holdout)}  {cases}{judged}"]


def _lock_lines(verdict: Verdict) -> list[str]:
    comparison = verdict.comparison
    if comparison is None:
        return []
    lift = f"{format_lift(comparison.lift)} against the lock"
    kinds = (("improved", comparison.improved), ("regressed", comparison.regressed))
    changed = ", ".join(f"{len(changes):,} {what}" for what, changes in kinds if changes)
    left = f"; {counted(comparison.left_out, 'case')} not in it" if comparison.left_out else ""
    return _wrapped(f"{lift}: {changed or 'no case changed'}{left}")


def _sample_lines(verdict: Verdict, lines: Lines) -> list[str]:
    if verdict.pass_all is None:
        return []
    k = verdict.plan.repeats
    share = f"all {k} samples pass in {100 * verdict.pass_all:.1f} % of the rows (pass^{k})"
    shown = (
        f"{short_id(r, verdict)} {r.passes(verdict.plan.pass_score)}/{len(r.samples)}"
        for r in verdict.flaky
    )
    return [share, *list_cases("flaky", shown, lines)]


def _case_lines(verdict: Verdict, lines: Lines) -> list[str]:
    comparison, found = verdict.comparison, []
    if comparison is not None:
        if verdict.status not in ("failed", "incomplete"):
            found += format_regressed(verdict, lines)
        shown = (with_gain(change, verdict) for change in comparison.improved)
        found += list_cases("improved", shown, lines)
    if verdict.status == "passed":
        if lines.everything:
            return found + [line for line in format_cases(verdict, lines) if line not in found]
        shown = (with_score(result, verdict) for result in verdict.missed)
        found += list_cases("missed", shown, lines)
    return found


def _wrapped(text: str) -> list[str]:
    return Lines(everything=True).wrapped(text, WIDTH - len(_INDENT), 0)
