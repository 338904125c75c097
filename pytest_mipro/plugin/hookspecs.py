"""The extension points: pluggy hooks of pytest-mipro, through which the built-ins come too.

Implement them in a conftest.py or a plugin, as any pytest hook; import their types from
`pytest_mipro.extending`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mipro.optimizer.proposing.strategy import InstructionStrategy
    from pytest_mipro.optimizer.run.events import TrialFinished
    from pytest_mipro.optimizer.run.result import StudyResult
    from pytest_mipro.optimizer.search.searcher import Searcher
    from pytest_mipro.optimizer.search.space import Space
    from pytest_mipro.optimizer.study.case import Study
    from pytest_mipro.runtime.client.contract import LMClient


@pytest.hookspec(firstresult=True)
def pytest_mipro_client(config: pytest.Config) -> LMClient | None:
    """Return the client that answers what is not in the cache, in the whole run; the first counts.

    Called once a session, before the first LM call. It is wrapped by the cache, so it sees each
    distinct request once. None leaves the choice to others; the built-in one goes to the provider
    that the model's name asks for. The client of a folder's `conftest.py` is refused in a run with
    marked tests elsewhere.
    """


@pytest.hookspec
def pytest_mipro_proposal_strategies(config: pytest.Config) -> Sequence[InstructionStrategy] | None:
    """Return proposal strategies, to be used beside the built-in ones.

    Each has a `name`, and a method `request` that makes the request for an instruction. Called once
    a session, under `--mipro-optimize` only.
    """


@pytest.hookspec(firstresult=True)
def pytest_mipro_searcher(
    config: pytest.Config, study: Study
) -> Callable[[Space, int], Searcher] | None:
    """Return what makes the study's searcher from a space and a seed; the first one is used.

    Called once a study, under `--mipro-optimize` only. The searcher must be deterministic: equal
    seeds, asks and tells give equal proposals. None leaves the choice to others; the built-in one
    is TPE.
    """


@pytest.hookspec
def pytest_mipro_redact(config: pytest.Config, text: str) -> str | None:
    """Return the text without what must not stand in files; None leaves it as it is.

    Called for each text of a report or record, in which credentials are hidden already; and under
    `--mipro-replies=record` for each reply's text, served model and finish reason, before the
    pipeline sees them, since a replay must measure what was recorded. It is called on the package's
    event loop: so it must not wait. Each implementation gets what the one before returned. Equal
    texts must give equal results.
    """


@pytest.hookspec
def pytest_mipro_trial_finished(config: pytest.Config, trial: TrialFinished) -> None:
    """Look at one finished trial. Called in trial order, while the search goes on."""


@pytest.hookspec
def pytest_mipro_study_finished(config: pytest.Config, result: StudyResult) -> None:
    """Look at one study's result, after its decision and before its files are written."""
