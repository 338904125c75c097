"""Apply the run's options to module calls for as long as the run lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.runtime.settings import current_settings, replace_settings

if TYPE_CHECKING:
    import pytest


@contextmanager
def options_in_force(config: pytest.Config) -> Iterator[None]:
    """Put the run's model and output limit in force for module calls that name none."""
    options = options_of(config)
    before = current_settings()
    limit = before.max_output_tokens
    replace_settings(
        replace(
            before,
            fallback_model=options.model,
            max_output_tokens=options.max_output_tokens if limit is None else limit,
        )
    )
    try:
        yield
    finally:
        # What conftest files configured meanwhile stays as it is.
        replace_settings(
            replace(
                current_settings(),
                fallback_model=before.fallback_model,
                max_output_tokens=before.max_output_tokens,
            )
        )
