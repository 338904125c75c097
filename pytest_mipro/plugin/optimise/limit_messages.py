"""Name the options that lift a limit: the optimiser itself knows none."""

from __future__ import annotations

from dataclasses import replace

from pytest_mipro.errors import MiproError
from pytest_mipro.optimizer.budget.limit_errors import (
    Limit,
    UnboundedOutputError,
    UnknownPriceError,
    limit_of,
)
from pytest_mipro.optimizer.run.result import StudyResult

_OPTIONS = {
    "calls": "--mipro-max-calls",
    "tokens": "--mipro-max-tokens; or lower mipro_max_output_tokens",
    "nanodollars": "--mipro-max-cost; or lower mipro_max_output_tokens",
    "seconds": "--mipro-max-time",
}


def describe_error(error: MiproError) -> str:
    """Return an error's text with the options that remedy it."""
    if isinstance(error, UnboundedOutputError):
        return f"{error}; set ini mipro_max_output_tokens, or max_tokens in @lm_module"
    if isinstance(error, UnknownPriceError):
        return (
            f'{error}; set ini mipro_prices = ["{error.model} PROMPT COMPLETION"] in dollars per '
            "million tokens, or use --mipro-max-tokens in place of --mipro-max-cost"
        )
    return f"{error}{_option(limit_of(error))}"


def with_options(result: StudyResult) -> StudyResult:
    """Return the result, its end naming the option of the limit that ended the search."""
    return replace(result, ended=f"{result.ended}{_option(result.limit)}")


def _option(limit: Limit | None) -> str:
    return "" if limit is None else f" ({_OPTIONS[limit.currency]})"
