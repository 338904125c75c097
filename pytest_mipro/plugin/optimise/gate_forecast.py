"""Forecast a study from its last gate run, before any optimisation of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.run.forecast import (
    LONGER_INSTRUCTION,
    Forecast,
    Pass,
    StageSize,
    Typical,
    forecast,
    usual_demos,
)
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.plugin.gate.usage_file import GateUsage
from pytest_mipro.plugin.measuring.report_data import CallUsage
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.settings import current_settings

# A demo has about this share of the tokens of a call: the rest is its instruction.
_DEMO_OF_CALL = 0.5
# A request for an instruction: its text, as many examples, and its reply.
_REQUEST, _EXAMPLES, _REPLY = 1_000, 32, 300


def forecast_of(
    usage: GateUsage,
    sizes: Iterable[StageSize],
    settings: OptimizerSettings,
    cost_model: CostModel,
    frozen: frozenset[str],
) -> Forecast:
    """Return the forecast, at the prices of the usage's models."""
    committed: defaultdict[str, Amount] = defaultdict(Amount)
    candidate: defaultdict[str, Amount] = defaultdict(Amount)
    for part in usage.modules:
        model = part.model
        longer = 0 if part.module in frozen else _longer(part.usage, settings)
        committed[model] += _amount(cost_model, model, part.usage, 0)
        candidate[model] += _amount(cost_model, model, part.usage, longer)
    calls = max(1, sum(part.usage.calls for part in usage.modules))
    length = sum(part.usage.tokens for part in usage.modules) / calls
    proposer = (*settings.proposer_models, *committed)[0]
    request = Usage(round(_REQUEST + _EXAMPLES * length), _REPLY)
    typical = Typical(
        rows=usage.rows,
        repeated=Pass(usage.samples, candidate),
        once=Pass(usage.cases, _times(candidate, usage.cases / usage.samples)),
        proposer=proposer,
        proposal=cost_model.amount(proposer, request),
    )
    return forecast(typical, sizes, committed, settings.concurrency)


def asked_now(usage: GateUsage, default: str | None) -> GateUsage:
    """Return the usage with the models that are asked now: the default may have changed."""
    models = current_settings().models
    modules = (
        replace(part, model=models.get(part.module, default))
        if default is not None and part.model == usage.model
        else part
        for part in usage.modules
    )
    return replace(usage, modules=tuple(modules))


def _longer(usage: CallUsage, settings: OptimizerSettings) -> int:
    demo = _DEMO_OF_CALL * usage.tokens / max(1, usage.calls)
    demos = usual_demos(settings, demo) if settings.has("demos") else 0.0
    return round(demos) + (LONGER_INSTRUCTION if settings.has("instructions") else 0)


def _amount(cost_model: CostModel, model: str, usage: CallUsage, longer: int) -> Amount:
    tokens = Usage(usage.prompt_tokens + longer * usage.calls, usage.completion_tokens)
    return cost_model.amount(model, tokens, calls=usage.calls)


def _times(models: Mapping[str, Amount], factor: float) -> dict[str, Amount]:
    return {model: amount.times(factor, round) for model, amount in models.items()}
