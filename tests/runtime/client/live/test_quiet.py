"""Where warnings are errors, litellm's are none: of its import, and of a model's first call."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from pytest_mipro.runtime.client.live.quiet import quietly


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def warn() -> None:
    warnings.warn("of a library", UserWarning, stacklevel=2)


def test_each_model_is_quiet_until_it_has_answered() -> None:
    for model in ("openai/quiet", "gemini/quiet"):
        with quietly(model):
            warn()
        with pytest.raises(UserWarning), quietly(model):
            warn()


def test_a_call_that_fails_is_tried_again_as_quietly() -> None:
    with pytest.raises(ValueError, match="refused"), quietly("openai/failing"):
        raise ValueError("refused")
    with quietly("openai/failing"):
        warn()


def test_the_import_is_quiet_and_what_follows_is_not() -> None:
    with quietly():
        warn()
    with quietly():
        warn()
    with pytest.raises(UserWarning, match="of a library"):
        warn()


def test_blocks_that_overlap_end_the_silence_together() -> None:
    first, second = quietly("openai/first"), quietly("openai/second")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    warn()
    second.__exit__(None, None, None)
    with pytest.raises(UserWarning):
        warn()
