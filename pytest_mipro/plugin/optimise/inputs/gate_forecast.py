"""Forecast a study from its last gate run, before any optimisation of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.limits import Limit
from pytest_mipro.optimizer.budget.prompt_parts import PromptParts
from pytest_mipro.optimizer.proposing.proposer_models import GROUNDING_CALLS
from pytest_mipro.optimizer.proposing.strategies import EXAMPLES
from pytest_mipro.optimizer.run.forecast import (
    Demos,
    Forecast,
    Pass,
    Typical,
    demo_tokens,
    forecast,
    forecast_range,
    growth,
    usual_length,
)
from pytest_mipro.optimizer.run.stage_sizes import StageSize, stage_sizes
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import Study, row_tags
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.optimizer.study.split import Split, split_rows
from pytest_mipro.plugin.gate.usage_file import GateUsage
from pytest_mipro.plugin.lock.lock_file import Lock
from pytest_mipro.plugin.measuring.report_data import ModuleUsage
from pytest_mipro.runtime.calls.own_client import is_text
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.settings import current_settings
from pytest_mipro.runtime.signature.signature import VARIANT_SIGN


def forecast_of(
    usage: GateUsage,
    sizes: Iterable[StageSize],
    settings: OptimizerSettings,
    cost_model: CostModel,
    frozen: frozenset[str],
    split: Split,
) -> Forecast:
    """Return the forecast of a study with this split, at the prices of the usage's models."""
    committed: defaultdict[str, Amount] = defaultdict(Amount)
    for part in usage.modules:
        committed[part.model] += _amount(cost_model, part, 0)
    for part in usage.shared:
        committed[part.model] -= _amount(cost_model, part, 0)
    rows = len({*split.train, *split.validation, *split.holdout})  # as many as ran, or more now
    grown = max(1.0, rows / usage.rows)
    baseline = {model: took.times(grown, round) for model, took in committed.items()}
    asked, kept = _searched(usage, frozen), tuple(sizes)
    modules, teacher = len({part.module for part in asked}), settings.teacher_model
    proposers = settings.proposer_models or (*(part.model for part in asked), *committed)[:1]
    lend = usage.rows if usage.lending is None else usage.lending
    lending = round(lend / usage.rows * len({*split.train, *split.validation}))
    typical = _typical(usage, cost_model, asked, proposers, len(split.train))

    def with_demos(demos: Demos) -> Forecast:
        candidate: defaultdict[str, Amount] = defaultdict(Amount)
        taught: defaultdict[str, Amount] = defaultdict(Amount)
        for part in usage.modules:
            calls, longer = part.usage.calls, 0
            if part in asked:
                demo = part.parts.lent / max(1, calls)
                shown = demo_tokens(settings, lending, demo, modules, demos)
                longer = growth(settings, part.parts, calls, shown)
            candidate[part.model] += _amount(cost_model, part, longer)
            by_teacher = teacher is not None and part in asked and not is_text(part.module)
            answering = replace(part, model=teacher) if teacher and by_teacher else part
            taught[answering.model] += _amount(cost_model, answering, settings.later(longer))
        share = usage.cases / usage.samples
        once, of_teacher = (
            {model: amount.times(share, round) for model, amount in models.items()}
            for models in (candidate, taught)
        )
        repeated, once_a_case = Pass(usage.samples, candidate), Pass(usage.cases, once)
        made = replace(typical, repeated=repeated, once=once_a_case, taught=of_teacher)
        return forecast(made, kept, baseline, settings.concurrency)

    return forecast_range(with_demos)


def _typical(
    usage: GateUsage,
    cost_model: CostModel,
    asked: Sequence[ModuleUsage],
    proposers: Sequence[str],
    training: int,
) -> Typical:
    """Return what the forecast rests on, without the passes of candidates."""
    made = max(1, sum(part.usage.calls for part in asked))
    parts = sum((part.parts for part in asked), PromptParts())
    own, example = parts.instruction / made, parts.demo / made
    examples = min(EXAMPLES, training * made / max(1, len(asked) * usage.rows))
    request = Usage(round(own + examples * example), round(usual_length(own)))
    proposals = [(model, cost_model.amount(model, request)) for model in proposers]
    return Typical(
        rows=usage.rows,
        repeated=Pass(usage.samples, {}),
        once=Pass(usage.cases, {}),
        proposals=proposals,
        grounding=proposals[0][1].times(GROUNDING_CALLS),
        latency=sum(part.seconds for part in usage.modules)
        / max(1, sum(part.usage.calls - part.untimed for part in usage.modules)),
    )


def frozen_in(lock: Lock | None) -> frozenset[str]:
    """Return the names of the lock's frozen modules."""
    modules = lock.modules if lock else ()
    return frozenset(module.name for module in modules if module.frozen)


def searched_modules(usage: GateUsage, frozen: frozenset[str]) -> set[str]:
    """Return the names of the modules that are optimised; one that asks two models is one."""
    return {part.module for part in _searched(usage, frozen)}


def settings_by_gate(
    usage: GateUsage, settings: OptimizerSettings, frozen: frozenset[str]
) -> OptimizerSettings:
    """Return the settings of a search of the modules that the gate run called.

    Where no prompt has a place for demos, no row is attempted again to get some.
    """
    settings = settings.for_modules(len(searched_modules(usage, frozen)))
    lends = any(part.parts.lent for part in _searched(usage, frozen))
    return settings if lends else replace(settings, attempts=0)


def _searched(usage: GateUsage, frozen: frozenset[str]) -> list[ModuleUsage]:
    return [part for part in usage.modules if not part.frozen and part.module not in frozen]


def enough_by_gate(
    usage: GateUsage,
    study: Study,
    settings: OptimizerSettings,
    cost_model: CostModel,
    limit: Limit,
    frozen: frozenset[str],
) -> str:
    """Return how far to raise a limit that ends within the baseline, to hold it and all trials."""
    split = split_rows(row_tags(study.cases), settings.min_holdout)
    modules = len(searched_modules(usage, frozen))
    settings = settings_by_gate(usage, settings, frozen)
    sampled = any(test.repeats > 1 for test in study.tests.values())
    sizes = stage_sizes(settings, split, modules, sampled=sampled)
    made = forecast_of(usage, sizes, settings, cost_model, frozen, split)
    least, whole = (
        getattr(amount, limit.currency, None) for amount in (made.fixed, made.fixed + made.search)
    )
    if not least or not whole or least <= limit.value:  # the run was another one
        return ""
    return (
        f" to about {limit.words(least)} or more, and to about {limit.words(whole)} for all "
        "trials, by the last run of pytest"
    )


def asked_now(usage: GateUsage, default: str | None) -> GateUsage:
    """Return the usage with the models that are asked now: the default may have changed."""
    models = current_settings().models

    def now(part: ModuleUsage) -> ModuleUsage:
        if default is None or part.model != usage.model:
            return part
        return replace(part, model=models.get(part.module.partition(VARIANT_SIGN)[0], default))

    modules = tuple(map(now, usage.modules))
    before, after = ({part.model for part in parts} for parts in (usage.modules, modules))
    timed = () if after <= before else tuple(sorted(before))
    return replace(usage, modules=modules, shared=tuple(map(now, usage.shared)), timed=timed)


def _amount(cost_model: CostModel, part: ModuleUsage, longer: int) -> Amount:
    usage = part.usage
    tokens = Usage(usage.prompt_tokens + longer * usage.calls, usage.completion_tokens)
    return cost_model.amount(part.model, tokens, calls=usage.calls)
