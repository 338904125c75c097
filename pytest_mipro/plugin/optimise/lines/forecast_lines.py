"""What a run is expected to take, and where its limits end it, as lines."""

from __future__ import annotations

from math import ceil

from pytest_mipro.optimizer.run.forecast import Forecast
from pytest_mipro.optimizer.study.amount import Limits, describe_amount, describe_take

STAGE_WIDTH = 11
_MINUTE = 60


def describe_forecast(forecast: Forecast) -> list[str]:
    """Return what a run is expected to take, by stage and by model, and its time."""
    stages = [
        f"{stage.stage:<{STAGE_WIDTH}}{describe_amount(stage.expected)}"
        for stage in forecast.stages
        if stage.expected.calls
    ]
    by_model = [f"{model}: {describe_amount(took)}" for model, took in forecast.models.items()]
    seconds = forecast.seconds
    time = (
        "unknown, as no reply has told its latency"
        if seconds is None
        else f"about {_duration(seconds)}, if no reply is cached"
    )
    return [
        f"the pipeline runs at most {forecast.case_runs:,} times",
        "expected, by stage:",
        *stages,
        f"{'in all':<{STAGE_WIDTH}}{describe_amount(forecast.expected)}",
        *_range(forecast),
        *by_model,
        f"time: {time}",
    ]


def _range(forecast: Forecast) -> list[str]:
    """Return what demos make of the tokens, where they make a difference."""
    least, most = (describe_take(amount) for amount in (forecast.least, forecast.most))
    if least == most:
        return []
    return [f"{least} without new demos, {most} with the most"]


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes} min" if minutes < _MINUTE else f"{minutes // 60} h {minutes % 60} min"


def describe_ending(
    forecast: Forecast, limits: Limits, max_seconds: float | None, trials: int
) -> list[str]:
    """Return at which trial a limit is expected to end the search, and what would be enough."""
    lines = []
    ending = forecast.ending(limits, trials)
    if ending is not None:
        trial, enough = ending
        end = f"the search at about trial {trial} of {trials}"
        where = end if trial else "the run before its first trial"
        lines.append(f"the limit will end {where}; enough for all: {enough}")
    by_time = None if max_seconds is None else forecast.ending_by_time(max_seconds, trials)
    if by_time is not None:
        trial, seconds = by_time
        where = f"at about trial {trial} of {trials}" if trial else "before its first trial"
        lines.append(f"time will end the search {where}; enough for all: {ceil(seconds):,} s")
    return lines


def describe_limits(limits: Limits, max_seconds: float | None) -> str:
    """Return the limits of a run in words."""
    words = [str(limits)] if str(limits) else []
    if max_seconds is not None:
        words.append(f"{max_seconds:,g} s")
    return f"limits: {', '.join(words)}" if words else "no limit is set"
