"""Write the run's report for people, as a comment on a pull request (`--mipro-markdown`).

What the reader needs first comes first; cases and calls unfold. Its length is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pytest_mipro.optimizer.run.events import Measured
from pytest_mipro.plugin.config.words import counted
from pytest_mipro.plugin.gate.verdict import CaseChange, Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.plugin.report.case_lines import format_lift, format_mean, short_id
from pytest_mipro.plugin.report.contents import GatedStudy, OptimizedStudy, RunReport
from pytest_mipro.plugin.report.markdown_text import Words, details, table

MAX_CHARS = 60_000  # a comment on GitHub may have 65,536
_MOST_ROWS = 100
_SHOWN_CASES = 10
_HEAD = ("test", "verdict", "mean (95 %)", "against the lock", "cases")
_WORDS = {"passed": "passed", "failed": "**FAILED**", "incomplete": "**INCOMPLETE**"}


def markdown_report(report: RunReport, redact: Callable[[str], str]) -> str:
    """Return the report's text, of at most `MAX_CHARS` characters."""
    words = Words(redact)
    blocks = [[f"### {_title(report)}"]]
    blocks += [_optimization(item, words) for item in report.optimizations]
    blocks += [_study(study, words) for study in report.studies]
    for study in report.studies:
        blocks += _worst(study, words)
    blocks += [_calls(study, words) for study in report.studies if study.usages]
    if report.written:
        files = [f"- {words.code(path)}" for path in report.written]
        blocks.append(["", "Files written:", "", *files])
    return _bounded(["\n".join(block) for block in blocks])


def _bounded(blocks: Sequence[str]) -> str:
    end = "\n\n_Cut short: the JSON report holds all of it._\n"
    text, left_out = "", False
    for block in blocks:
        if len(text) + len(block) + len(end) + 1 > MAX_CHARS:
            left_out = True
        else:
            text += f"{block}\n"
    return text + (end if left_out else "")


def _title(report: RunReport) -> str:
    if report.optimize:
        better = sum(bool(item.result.prompts) for item in report.optimizations)
        count = len(report.optimizations)
        many = "1 study" if count == 1 else f"{count} studies"
        return f"pytest-mipro: {better} of {many} improved" if better else _nothing(report)
    judged = [v for study in report.studies for v in study.verdicts if v.judged]
    failed = sum(verdict.status != "passed" for verdict in judged)
    if failed:
        return f"pytest-mipro: {failed} of {counted(len(judged), 'verdict')} failed"
    if not judged:
        return "pytest-mipro: no verdict"
    return f"pytest-mipro: {counted(len(judged), 'verdict')} passed"


def _nothing(report: RunReport) -> str:
    done = "nothing better was found" if report.optimizations else "no study came to its decision"
    return f"pytest-mipro: {done}"


def _study(study: GatedStudy, words: Words) -> list[str]:
    bad = [verdict for verdict in study.verdicts if verdict.status in ("failed", "incomplete")]
    rest = [verdict for verdict in study.verdicts if verdict not in bad]
    shown = [*bad, *rest][:_MOST_ROWS]
    lines = ["", f"**{words.code(study.name)}**", ""]
    lines += table(_HEAD, [_row(verdict, words) for verdict in shown])
    if len(shown) < len(study.verdicts):
        lines += ["", f"and {counted(len(study.verdicts) - len(shown), 'test')} more"]
    notes = [
        f"- {words.code(verdict.plan.name)}: {words.prose(text)}"
        for verdict in shown
        for text in (*([verdict.reason] if verdict in bad else []), *verdict.doubts)
    ]
    notes += [
        f"- {words.code(verdict.plan.name)}: group {words.code(group.name)} failed with "
        f"{format_mean(group.mean)} on {counted(group.mean.cases, 'case')}"
        for verdict in shown
        for group in verdict.groups
        if group.failed
    ]
    lines += ["", *notes] if notes else []
    if study.differences:
        lines += ["", f"Differs from {words.code(study.lock)}:", ""]
        lines += [f"- {words.prose(str(difference))}" for difference in study.differences]
    return lines


def _row(verdict: Verdict, words: Words) -> list[str]:
    lift = verdict.comparison.lift if verdict.comparison else None
    counts = [f"{count} {status}" for status, count in verdict.counts.items() if status != "passed"]
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
        cases = [
            *verdict.broken,
            *(change.result for change in before.values()),
            *(case for case in verdict.missed if case.id not in before),
        ]
        if not cases or verdict.status == "partial":
            continue
        shown = cases[:_SHOWN_CASES]
        rows = [
            [
                words.code(short_id(case, verdict)),
                _scores(case, before),
                words.code(_feedback(case)),
            ]
            for case in shown
        ]
        number = f"{len(shown)} of {len(cases):,}" if len(shown) < len(cases) else str(len(cases))
        yield details(
            f"Worst cases of {words.code(verdict.plan.name)} ({number})",
            table(("case", "score", "feedback"), rows),
        )


def _scores(case: CaseResult, before: Mapping[str, CaseChange]) -> str:
    """Return the score, where it fell with that in the lock."""
    now = "error" if case.score is None else f"{case.score:.2f}"
    return f"{before[case.id].before:.2f} → {now}" if case.id in before else now


def _feedback(case: CaseResult) -> str:
    return case.outcome.error or case.outcome.failure or case.outcome.feedback


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
    decided = "holdout" if split.confirmed else "validation rows"
    if result.deciding_after is not None:
        rows.insert(0, [decided, *_pair(result.deciding_before, result.deciding_after)])
    after = result.after.tests if result.after else {}
    rows += [
        [words.code(test), f"{mean:.3f}", f"{after[test]:.3f}" if test in after else ""]
        for test, mean in result.before.tests.items()
    ]
    lines += table(("", "before", "after"), rows)
    holdout = len(split.holdout)
    notes = [
        f"{counted(result.trials, 'candidate')} tried, {result.calls:,} distinct LM calls",
        f"rows: {len(split.train)} training, {len(split.validation)} validation, {holdout} holdout",
    ]
    if item.changed:
        names = (words.code(signature.name) for signature in item.changed)
        notes.append(f"prompts changed: {', '.join(names)}")
    if result.ended:
        notes.append(words.prose(result.ended))
    return [*lines, "", *(f"- {text}" for text in notes)]


def _pair(before: Measured, after: Measured | None) -> list[str]:
    return [
        ""
        if item is None
        else f"{item.objective:.3f} ({item.interval.low:.2f} to {item.interval.high:.2f})"
        for item in (before, after)
    ]
