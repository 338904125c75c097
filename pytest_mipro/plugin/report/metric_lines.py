"""Word the further metrics that a test's `Score` names: their means, and those of each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_mipro.plugin.gate.verdict.verdict_types import MetricMean, Verdict
from pytest_mipro.plugin.report.case_lines import Lines, short_id
from pytest_mipro.runtime.text.number_words import counted, measured
from pytest_mipro.runtime.text.redaction import one_line

_NAME_CHARS = 40


def metric_means(verdict: Verdict) -> str:
    """Return the means in one line, as "cited 0.820, words 31.5"; "" without metrics."""
    return ", ".join(_mean(each, verdict.whole.cases) for each in verdict.metrics)


def case_metrics(verdict: Verdict, lines: Lines) -> list[str]:
    """Return a line for each case with metrics, in the order in which they ran."""
    having = [result for result in verdict.results if result.outcome.metrics]
    shown = [(short_id(result, verdict), _metrics(result.outcome.metrics)) for result in having]
    if not shown:
        return []
    found = [f"metrics by case: {counted(len(shown), 'case')}"]
    for name, text in shown:
        first, *rest = lines.wrapped(f"{name}: {text}", lines.width - 2, 0)
        found += [f"  {first}", *(f"    {line}" for line in rest)]
    return found


def _mean(metric: MetricMean, cases: int) -> str:
    of = "" if metric.cases == cases else f" ({counted(metric.cases, 'case')})"
    return f"{one_line(metric.name, _NAME_CHARS)} {measured(metric.mean)}{of}"


def _metrics(metrics: Mapping[str, float]) -> str:
    named: Sequence[tuple[str, float]] = sorted(metrics.items())
    return ", ".join(f"{one_line(name, _NAME_CHARS)} {measured(value)}" for name, value in named)
