"""Refuses a budget of tokens or money that can't be kept, before the first call is paid."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.plugin.lock.lock_schema import Lock
from pytest_mipro.plugin.replies.stack import model_price
from pytest_mipro.runtime.client.prices import output_limit
from pytest_mipro.runtime.settings import current_settings

if TYPE_CHECKING:
    import pytest


def check_budget(
    config: pytest.Config, settings: OptimizerSettings, lock: Lock | None
) -> CostModel:
    """Return the cost_model of what is billed, once each model that is known to be called is in it.

    Raises UnboundedCallError for a model without a known price, or calls without an output limit.
    What only the traces tell is refused at its first call.
    """
    cost_model = CostModel(settings.limits, partial(model_price, config))
    if not settings.limits.by_worst_case:
        return cost_model
    own, in_force = [*settings.proposer_models], current_settings()
    if settings.teacher_model is not None:
        own.append(settings.teacher_model)
    for model in own:
        cost_model.check(model, bounded=True)
    if lock is None:
        for default in (in_force.model, in_force.fallback_model, *in_force.models.values()):
            if default is not None:
                cost_model.check(default, bounded=True)
    else:
        for module in lock.modules:
            given = in_force.max_output_tokens is not None or output_limit(module.parameters)
            cost_model.check(module.model, bounded=bool(given))
    return cost_model
