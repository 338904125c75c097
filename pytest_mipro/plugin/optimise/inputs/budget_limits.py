"""Refuse a budget that can't be kept before the first paid call; name the option of a limit."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock as ThreadLock

import pytest

from pytest_mipro.errors import MiproError
from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.limits import (
    UnboundedOutputError,
    UnknownPriceError,
    limit_of,
)
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.plugin.config.cache_folder import ini_folder, mipro_folder
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.config.study_files import study_file
from pytest_mipro.plugin.lock.lock_file import Lock, read_lock
from pytest_mipro.plugin.optimise.inputs.optimizer_inputs import run_settings
from pytest_mipro.plugin.replies.bill import BILLS, JournalBill
from pytest_mipro.plugin.replies.client_stack import run_client
from pytest_mipro.runtime.client.prices import output_limit
from pytest_mipro.runtime.settings import current_settings

_OPTIONS = {
    "calls": "--mipro-max-calls",
    "tokens": "--mipro-max-tokens; or lower mipro_max_output_tokens",
    "nanodollars": "--mipro-max-cost; or lower mipro_max_output_tokens",
    "seconds": "--mipro-max-time",
}


def check_budget(
    config: pytest.Config, settings: OptimizerSettings, lock: Lock | None
) -> CostModel:
    """Return the cost_model of what is billed, once each model that is known to be called is in it.

    Raises UnboundedCallError for a model without a known price, or calls without an output limit.
    What only the traces tell is refused at its first call.
    """
    cost_model = CostModel(settings.limits, lambda model: run_client(config).price(model))
    if not settings.limits.by_worst_case:
        return cost_model
    in_force = current_settings()
    called = [*settings.proposer_models, settings.teacher_model]
    if lock is None:
        called += [in_force.model, in_force.fallback_model, *in_force.models.values()]
    for model in called:
        if model is not None:
            cost_model.check(model, bounded=True)
    for module in lock.modules if lock is not None else ():
        given = in_force.max_output_tokens is not None or output_limit(module.parameters)
        cost_model.check(module.model, bounded=bool(given))
    return cost_model


class StudyBills:
    """The bills of a run's studies, each opened at its first call, which may be a fixture's."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lock = ThreadLock()
        self._bills: dict[Path, JournalBill] = {}
        config.stash[BILLS] = self.of

    def of(self, lock: Path) -> JournalBill:
        """Return the bill of a lock's study; raises UnboundedCallError as `check_budget` does."""
        with self._lock:
            if lock not in self._bills:
                self._bills[lock] = self._opened(lock)
            return self._bills[lock]

    def _opened(self, lock: Path) -> JournalBill:
        config, settings = self._config, run_settings(self._config)
        cost_model = check_budget(config, settings, read_lock(lock))
        study = relative_path(lock, ini_folder(config))
        path = study_file(mipro_folder(config), "bills", study)
        bill = JournalBill(path, settings.limits, cost_model, study).__enter__()
        config.add_cleanup(bill.__exit__)
        return bill


def describe_error(config: pytest.Config, error: MiproError) -> str:
    """Return an error's text with the options that remedy it."""
    if isinstance(error, UnboundedOutputError):
        return (
            f"{error}; set ini mipro_max_output_tokens, or max_tokens in @lm_module "
            "or in the call of your own client"
        )
    if isinstance(error, UnknownPriceError):
        line = f"{error.model} PROMPT COMPLETION"
        toml = config.inipath is not None and config.inipath.suffix == ".toml"
        value = json.dumps([line]) if toml else line
        return (
            f"{error}; set ini mipro_prices = {value} in dollars per "
            "million tokens, or use --mipro-max-tokens in place of --mipro-max-cost"
        )
    limit = limit_of(error)
    return f"{error} ({_OPTIONS[limit.currency]})" if limit else str(error)
