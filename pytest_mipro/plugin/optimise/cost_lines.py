"""What a study takes and took, as lines for people: by stage, module and model."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_mipro.optimizer.budget.spending import UNFINISHED, grouped
from pytest_mipro.optimizer.run.forecast import Forecast
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.study.amount import Amount, Limits, total

_STAGE_WIDTH = 11
_AT_MOST = 12


def describe_forecast(forecast: Forecast) -> list[str]:
    """Return what a run is expected to take, at worst in brackets, by stage and by model."""
    stages = [
        f"{stage.stage:<{_STAGE_WIDTH}}{_both(stage.expected, stage.worst)}"
        for stage in forecast.stages
        if stage.expected.calls or stage.worst.calls
    ]
    unbounded = forecast.worst.tokens is None
    return [
        f"the pipeline runs at most {forecast.case_runs:,} times",
        "by stage, expected (at worst):",
        *stages,
        f"{'in all':<{_STAGE_WIDTH}}{_both(forecast.expected, forecast.worst)}",
        *_by_model(forecast.models),
        *(["tokens are bounded by mipro_max_output_tokens alone"] if unbounded else []),
    ]


def _both(expected: Amount, worst: Amount) -> str:
    """Return both amounts in words, currency by currency, the second one in brackets."""
    words = [f"{expected.calls:,} ({worst.calls:,}) calls"]
    if expected.tokens is not None:
        most = "" if worst.tokens is None else f" ({worst.tokens:,})"
        words.append(f"{expected.tokens:,}{most} tokens")
    if expected.nanodollars or worst.nanodollars:
        most = "" if worst.nanodollars is None else f" ({_dollars(worst)})"
        words.append(f"{_dollars(expected)}{most}")
    return ", ".join(words)


def describe_limits(limits: Limits, max_seconds: float | None) -> str:
    """Return the limits of a run in words."""
    words = []
    if limits.calls is not None:
        words.append(f"{limits.calls:,} calls")
    if limits.tokens is not None:
        words.append(f"{limits.tokens:,} tokens")
    if limits.nanodollars is not None:
        words.append(_dollars(Amount(0, 0, limits.nanodollars)))
    if max_seconds is not None:
        words.append(f"{max_seconds:,g} s")
    return f"limits: {', '.join(words)}" if words else "no limit is set"


def describe_spending(result: StudyResult) -> list[str]:
    """Return what a study took: in all and billed, then by stage, and by module and model."""
    spent = total(entry.amount for entry in result.spending)
    lines = [f"{format_amount(spent)}; billed {format_amount(result.billed)}"]
    by_stage = grouped(result.spending, lambda entry: entry.stage)
    lines += [f"{name:<{_STAGE_WIDTH}}{format_amount(amount)}" for name, amount in by_stage.items()]
    users = grouped(result.spending, lambda entry: f"{_module(entry.module)} {entry.model}".strip())
    shown = sorted(users.items(), key=lambda item: (-item[1].calls, item[0]))
    lines += [f"{name}: {format_amount(amount)}" for name, amount in shown[:_AT_MOST]]
    if len(shown) > _AT_MOST:
        lines.append(f"and {len(shown) - _AT_MOST} more, in the JSON report")
    return lines


def format_amount(amount: Amount) -> str:
    """Return calls, tokens and dollars in words; what is not known is left out or said so."""
    words = f"{amount.calls:,} call{'' if amount.calls == 1 else 's'}"
    if amount.tokens is None:
        return f"{words}, tokens not known"
    words += f", {amount.tokens:,} tokens"
    return f"{words}, {_dollars(amount)}" if amount.nanodollars else words


def _module(name: str) -> str:
    if name == UNFINISHED:
        return "dropped or unfinished, at worst"
    return name or "proposals"


def _by_model(models: Mapping[str, Amount]) -> list[str]:
    if len(models) < 2:
        return []
    return [f"{model}: {format_amount(amount)}" for model, amount in models.items()]


def _dollars(amount: Amount) -> str:
    dollars = amount.dollars or 0.0
    return f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:,.4f}"
