"""Write the run's report for people, as a comment on a pull request (`--mipro-markdown`).

What the reader needs first comes first; cases and calls unfold. Its length is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pytest

from pytest_mipro.optimizer.budget.spending import grouped
from pytest_mipro.optimizer.run.events import Measured
from pytest_mipro.optimizer.statistics.notation import with_interval
from pytest_mipro.optimizer.study.amount import describe_amount, total
from pytest_mipro.plugin.gate.verdict.model_comparison import by_test, compared_on
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.report.case_lines import format_lift, format_mean, short_id
from pytest_mipro.plugin.report.contents import (
    GatedStudy,
    OptimizedStudy,
    RunReport,
    describe_demand,
)
from pytest_mipro.plugin.report.markdown_text import Words, details, table, within
from pytest_mipro.plugin.report.metric_lines import metric_means
from pytest_mipro.plugin.report.model_lines import HEAD, model_row
from pytest_mipro.runtime.text.number_words import counted

MAX_CHARS = 60_000  # a comment on GitHub may have 65,536
_MOST_ROWS = 100
_SHOWN_CASES = 10
_MOST_NOTES = 100
_RESULTS, _NOTES, _DETAILS = range(3)
_MOST_DIFF_LINES, _MOST_DIFF_CHARS = 200, MAX_CHARS // 2
_TICKS = re.compile("`+")
_HEAD = ("test", "verdict", "mean (95 %)", "against the lock", "cases")
_UNDECIDED = "no study came to its decision"
_NOT_FAILED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
_WORDS = {"passed": "passed", "failed": "**FAILED**", "incomplete": "**INCOMPLETE**"}


def markdown_report(report: RunReport, redact: Callable[[str], str]) -> str:
    """Return the report's text, of at most `MAX_CHARS` characters."""
    words = Words(redact)
    blocks = [_Block(_RESULTS, [f"### pytest-mipro: {_title(report)}"])]
    for item in report.optimizations:
        blocks.append(_Block(_RESULTS, _optimization(item, words)))
        blocks += [_Block(_DETAILS, part(item, words)) for part in (_diff, _costs)]
    for study in report.studies:
        blocks += _study(study, words)
    details = [block for study in report.studies for block in _worst(study, words)]
    details += [_calls(study, words) for study in report.studies if study.usages]
    blocks += [_Block(_DETAILS, lines) for lines in details]
    if report.written:
        files = [f"- {words.code(path)}" for path in report.written]
        blocks.append(_Block(_NOTES, ["", "Files written:", "", *files]))
    return _bounded(blocks)


@dataclass(frozen=True)
class _Block:
    """Lines that are shown together, or left out where blocks of lower ranks fill the room."""

    rank: int
    lines: Sequence[str]

    @cached_property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def _bounded(blocks: Sequence[_Block]) -> str:
    """Return the blocks in their order, without those that find no room."""
    end = "\n\n_Cut short: the JSON report holds all of it._\n"
    room, shown = MAX_CHARS - len(end), set[int]()
    for place in sorted(range(len(blocks)), key=lambda each: blocks[each].rank):
        if len(blocks[place].text) <= room:
            room -= len(blocks[place].text)
            shown.add(place)
    text = "".join(block.text for place, block in enumerate(blocks) if place in shown)
    return text + (end if len(shown) < len(blocks) else "")


def _title(report: RunReport) -> str:
    """Return what came of the run; one that fails by no verdict, as by drift, is no success."""
    if report.optimize:
        text = _optimized(report)
    else:
        judged = [v for study in report.studies for v in study.verdicts if v.judged]
        failed = sum(verdict.status != "passed" for verdict in judged)
        if failed:
            return f"{failed} of {counted(len(judged), 'verdict')} failed"
        text = f"{counted(len(judged), 'verdict')} passed" if judged else "no verdict"
    return text if report.exit_status in _NOT_FAILED else f"{text}; the run failed"


def _optimized(report: RunReport) -> str:
    accepted = [item.result for item in report.optimizations if item.result.prompts]
    better = sum(not describe_demand(result) for result in accepted)
    count = len(report.optimizations)
    many = counted(count, "study", "studies")
    if better:
        return f"{better} of {many} improved"
    if accepted:
        return f"{len(accepted)} of {many} accepted, none shown to be better"
    return "nothing better was found" if count else _UNDECIDED


def _study(study: GatedStudy, words: Words) -> Iterator[_Block]:
    bad = [verdict for verdict in study.verdicts if verdict.status in ("failed", "incomplete")]
    rest = [verdict for verdict in study.verdicts if verdict not in bad]
    shown = [*bad, *rest][:_MOST_ROWS]
    lines = ["", f"**{words.code(study.name)}**", ""]
    lines += table(_HEAD, [_row(verdict, words) for verdict in shown])
    if len(shown) < len(study.verdicts):
        lines += ["", f"and {counted(len(study.verdicts) - len(shown), 'test')} more"]
    yield _Block(_RESULTS, lines)
    for name, models in by_test(study.verdicts).items():
        rows = [[words.code(each.verdict.plan.model), *model_row(each)] for each in models]
        title = f"The models of {words.code(name)}, {compared_on(models)}:"
        yield _Block(_NOTES, ["", title, "", *table(HEAD, rows)])
    notes = list(_notes(shown, words))
    if notes:
        more = len(notes) - _MOST_NOTES
        left = ["", f"and {counted(more, 'note')} more"] if more > 0 else []
        yield _Block(_NOTES, ["", *notes[:_MOST_NOTES], *left])
    if study.differences:
        differences = (f"- {words.prose(str(difference))}" for difference in study.differences)
        yield _Block(_NOTES, ["", f"Differs from {words.code(study.lock)}:", "", *differences])


def _notes(shown: Sequence[Verdict], words: Words) -> Iterator[str]:
    """Yield what is said of the tests behind their table."""
    for verdict in shown:
        bad = verdict.status in ("failed", "incomplete")
        texts = (verdict.reason if bad else "", *verdict.warnings, *verdict.doubts)
        for text in filter(None, texts):
            yield f"- {words.code(verdict.plan.name)}: {words.prose(text)}"
    for verdict in shown:
        if text := metric_means(verdict):
            yield f"- {words.code(verdict.plan.name)}: metrics {words.prose(text)}"
    for verdict in shown:
        for group in (each for each in verdict.groups if each.failed):
            mean = f"{format_mean(group.mean)} on {counted(group.mean.cases, 'case')}"
            name = words.code(group.name)
            yield f"- {words.code(verdict.plan.name)}: group {name} failed with {mean}"


def _row(verdict: Verdict, words: Words) -> list[str]:
    lift = verdict.comparison.lift if verdict.comparison else None
    counts = [f"{number:,} {kind}" for kind, number in verdict.counts.items() if kind != "passed"]
    return [
        words.code(verdict.plan.name),
        _WORDS.get(verdict.status, words.prose(verdict.reason)),
        format_mean(verdict.whole),
        format_lift(lift) if lift else "",
        ", ".join([f"{sum(verdict.counts.values()):,}", *counts]),
    ]


def _worst(study: GatedStudy, words: Words) -> Iterator[list[str]]:
    for verdict in study.verdicts:
        comparison = verdict.comparison
        before = {} if comparison is None else {c.result.id: c for c in comparison.regressed}
        regressed = (change.result for change in before.values())
        cases = [*verdict.broken, *regressed, *verdict.missed]
        if not cases or verdict.status == "partial":
            continue
        shown = cases[:_SHOWN_CASES]
        rows = []
        for case in shown:
            score = "error" if case.score is None else f"{case.score:.2f}"
            if case.id in before:
                score = f"{before[case.id].before:.2f} → {score}"
            feedback = case.outcome.error or case.outcome.failure or case.outcome.feedback
            rows.append([words.code(short_id(case, verdict)), score, words.code(feedback)])
        number = f"{len(shown)} of {len(cases):,}" if len(shown) < len(cases) else str(len(cases))
        yield details(
            f"Worst cases of {words.code(verdict.plan.name)} ({number})",
            table(("case", "score", "feedback"), rows),
        )


def _calls(study: GatedStudy, words: Words) -> list[str]:
    rows = [
        [
            words.code(each.module),
            words.code(each.model),
            f"{each.usage.calls:,}",
            f"{each.usage.cached:,}",
            f"{each.usage.tokens:,}",
            "unknown" if each.usage.cost is None else f"${each.usage.cost:.4f}",
        ]
        for each in study.usages
    ]
    total = sum(each.usage.calls for each in study.usages)
    return details(
        f"{counted(total, 'LM call')} of {words.code(study.name)}",
        table(("module", "model", "calls", "cached", "tokens", "cost"), rows),
    )


def _optimization(item: OptimizedStudy, words: Words) -> list[str]:
    result, split = item.result, item.result.split
    lines = ["", f"**{words.code(result.study)}**", "", words.prose(result.reason), ""]
    rows = [["all cases", *_pair(result.before, result.after)]]
    if result.deciding_after is not None:
        deciding = _pair(result.deciding_before, result.deciding_after)
        rows.insert(0, [result.decided_on, *deciding])
    after = result.after.tests if result.after else {}
    rows += [
        [words.code(test), f"{mean:.3f}", f"{after[test]:.3f}" if test in after else ""]
        for test, mean in result.before.tests.items()
    ]
    lines += table(("", "before", "after"), rows)
    parts = {"training": split.train, "validation": split.validation, "holdout": split.holdout}
    tried = f"{counted(len(item.trials), 'trial')} of {counted(result.trials, 'program')}"
    notes = [
        f"{tried}, {counted(result.calls, 'distinct LM call')}",
        f"rows: {', '.join(f'{len(keys):,} {part}' for part, keys in parts.items())}",
    ]
    spent, billed = total(entry.amount for entry in result.spending), result.billed
    notes.append(words.prose(f"took {describe_amount(spent)}; billed {describe_amount(billed)}"))
    if item.changed:
        names = (words.code(signature.label) for signature in item.changed)
        notes.append(f"prompts changed: {', '.join(names)}")
    if label := describe_demand(result):
        notes.append(words.prose(label))
    if result.ended:
        notes.append(words.prose(result.ended))
    return [*lines, "", *(f"- {text}" for text in notes)]


def _diff(item: OptimizedStudy, words: Words) -> list[str]:
    """Return the diff of the prompt files, to unfold."""
    if not item.diff:
        return []
    what = "Prompts" if item.result.prompts else "Prompts of the refused finalist, not written"
    lines = list(within(map(words.verbatim, item.diff[:_MOST_DIFF_LINES]), _MOST_DIFF_CHARS))
    if left := len(item.diff) - len(lines):
        lines.append(f"… {counted(left, 'more line')}")
    # Longer than any within: what stands in a prompt can't end the block.
    fence = "`" * max([3, *(len(run) + 1 for line in lines for run in _TICKS.findall(line))])
    return details(what, [f"{fence}diff", *lines, fence])


def _costs(item: OptimizedStudy, words: Words) -> list[str]:
    """Return what each stage took, to unfold."""
    stages = grouped(item.result.spending, lambda entry: entry.stage)
    rows = [
        [
            words.code(stage),
            f"{amount.calls:,}",
            "unknown" if amount.tokens is None else f"{amount.tokens:,}",
            "unknown" if amount.dollars is None else f"${amount.dollars:.4f}",
        ]
        for stage, amount in stages.items()
    ]
    return details("Cost by stage", table(("stage", "calls", "tokens", "cost"), rows))


def _pair(before: Measured, after: Measured | None) -> list[str]:
    return [
        with_interval(item.objective, item.interval.low, item.interval.high)
        if item is not None
        else ""
        for item in (before, after)
    ]
