"""Forecast a study from its last gate run, before any optimisation of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.limits import Limit
from pytest_mipro.optimizer.budget.prompt_parts import PromptParts
from pytest_mipro.optimizer.proposing.proposer_models import GROUNDING_CALLS
from pytest_mipro.optimizer.proposing.strategies import EXAMPLES
from pytest_mipro.optimizer.run.forecast import (
    Forecast,
    Pass,
    StageSize,
    Typical,
    forecast,
    stage_sizes,
    usual_growth,
    usual_length,
)
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import Study, row_tags
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.optimizer.study.split import split_rows
from pytest_mipro.plugin.gate.usage_file import GateUsage
from pytest_mipro.plugin.measuring.report_data import CallUsage
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.settings import current_settings
from pytest_mipro.runtime.signature.signature import VARIANT_SIGN


def forecast_of(
    usage: GateUsage,
    sizes: Iterable[StageSize],
    settings: OptimizerSettings,
    cost_model: CostModel,
    frozen: frozenset[str],
    training: int,
) -> Forecast:
    """Return the forecast with so many rows of training, at the prices of the usage's models."""
    committed: defaultdict[str, Amount] = defaultdict(Amount)
    candidate: defaultdict[str, Amount] = defaultdict(Amount)
    asked = [part for part in usage.modules if part.module not in frozen]
    for part in usage.modules:
        longer = 0
        if part in asked:
            longer = usual_growth(settings, part.parts, part.usage.calls, training)
        committed[part.model] += _amount(cost_model, part.model, part.usage, 0)
        candidate[part.model] += _amount(cost_model, part.model, part.usage, longer)
    proposer = (*settings.proposer_models, *committed)[0]
    made = max(1, sum(part.usage.calls for part in asked))
    parts = sum((part.parts for part in asked), PromptParts())
    own, example = parts.instruction / made, parts.demo / made
    shown = min(EXAMPLES, training * made / max(1, len(asked) * usage.rows)) * example
    request = Usage(round(own + shown), round(usual_length(own)))
    proposal = cost_model.amount(proposer, request)
    typical = Typical(
        rows=usage.rows,
        repeated=Pass(usage.samples, candidate),
        once=Pass(usage.cases, _times(candidate, usage.cases / usage.samples)),
        proposer=proposer,
        proposal=proposal,
        grounding=proposal.times(GROUNDING_CALLS),
        latency=sum(part.seconds for part in usage.modules)
        / max(1, sum(part.usage.calls for part in usage.modules)),
    )
    return forecast(typical, sizes, committed, settings.concurrency)


def enough_by_gate(
    usage: GateUsage, study: Study, settings: OptimizerSettings, cost_model: CostModel, limit: Limit
) -> str:
    """Return how far to raise a limit that ends within the baseline, to hold it and all trials."""
    split = split_rows(row_tags(study.cases), settings.min_holdout)
    sampled = any(test.repeats > 1 for test in study.tests.values())
    sizes = stage_sizes(settings, split, len(usage.modules), sampled=sampled)
    made = forecast_of(usage, sizes, settings, cost_model, frozenset(), len(split.train))
    least, whole = (
        getattr(amount, limit.currency, None) for amount in (made.fixed, made.fixed + made.search)
    )
    if not least or not whole:
        return ""
    return (
        f" to about {limit.words(least)} or more, and to about {limit.words(whole)} for all "
        "trials, by the last run of pytest"
    )


def asked_now(usage: GateUsage, default: str | None) -> GateUsage:
    """Return the usage with the models that are asked now: the default may have changed."""
    models = current_settings().models
    modules = tuple(
        replace(part, model=models.get(part.module.partition(VARIANT_SIGN)[0], default))
        if default is not None and part.model == usage.model
        else part
        for part in usage.modules
    )
    before, after = ({part.model for part in parts} for parts in (usage.modules, modules))
    timed = () if after <= before else tuple(sorted(before))
    return replace(usage, modules=modules, timed=timed)


def _amount(cost_model: CostModel, model: str, usage: CallUsage, longer: int) -> Amount:
    tokens = Usage(usage.prompt_tokens + longer * usage.calls, usage.completion_tokens)
    return cost_model.amount(model, tokens, calls=usage.calls)


def _times(models: Mapping[str, Amount], factor: float) -> dict[str, Amount]:
    return {model: amount.times(factor, round) for model, amount in models.items()}
