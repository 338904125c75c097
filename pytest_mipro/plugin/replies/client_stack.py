"""Assemble the clients of a run: which wrapper stands around which.

Each stack passes a request from left to right until something has the reply.

The run's client, one per process (`run_client`):

    CachedClient → CheckedClient → StepClient, which runs a `@step` →
      BilledClient → BreakerClient → PricedClient →
      SendingClient, which sends what the pipeline's own client asks → live, for all else
    live: the hook's client in a BoundedClient, else ProviderClient, which bounds each provider

The studies' client, by `--mipro-replies`, on the recorded replies of a study, or outside cases on
those of all studies (`studies_client`):

    auto     RecordedClient → run's client; the run's client alone where nothing is recorded
    record   RecordingClient (the cache, then what is recorded) → run's client
    replay   RecordedClient alone
    fresh    run's client, whose cache ignores what was asked before this run

What the callers hold:

    gate, a case's call         TrackingClient → studies' client         (case_replies.py)
    record, a case's rerun      RerunClient, on what TrackingClient saw  (case_replies.py)
    calls outside cases         OutsideClient → studies' client          (serving.py)
    optimisation, its calls     StudyClient → studies' client            (optimise/run_study.py)
      its proposals, shared     SharedReplies → StudyClient …             (optimizer/shared/)
      each part of its budget   MeteredClient → one of the two above     (optimizer/budget/)
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.errors import RepliesFileError
from pytest_mipro.plugin.config.cache_folder import cache_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.config.redaction import redactor, run_secrets
from pytest_mipro.plugin.lock.lock_file import SUFFIX as LOCK_SUFFIX
from pytest_mipro.plugin.replies.bill import BilledClient
from pytest_mipro.plugin.replies.chosen_client import chosen_client
from pytest_mipro.plugin.replies.circuit_breaker import BreakerClient
from pytest_mipro.plugin.replies.recording import CheckedClient, RecordingClient
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.clock import real_time
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.client.live.attempts import LiveSettings
from pytest_mipro.runtime.client.providers import ProviderClient
from pytest_mipro.runtime.client.wrappers import BoundedClient, PricedClient
from pytest_mipro.runtime.own_calls.sending import SendingClient
from pytest_mipro.runtime.replies.recorded import RecordedClient, RecordedReplies
from pytest_mipro.runtime.replies.replies_file import SUFFIX, read_replies
from pytest_mipro.runtime.settings import current_settings
from pytest_mipro.runtime.steps.kept import StepClient
from pytest_mipro.runtime.text.files import is_regular

STARTED = "mipro_started"
_STARTED = pytest.StashKey[float]()
_CLIENT = pytest.StashKey[CachedClient]()
_RECORDED = pytest.StashKey[dict["Path", RecordedReplies]]()
_LEFT_BEHIND = pytest.StashKey[dict["Path", list[RecordedReplies]]]()
_REDACT = pytest.StashKey[Any]()


def run_start(config: pytest.Config) -> float:
    """Return when the run began, in Unix seconds: one time for all workers of pytest-xdist."""
    given: dict[str, float] = getattr(config, "workerinput", {})
    return given.get(STARTED) or config.stash.setdefault(_STARTED, real_time())


def live_client(config: pytest.Config) -> LMClient:
    """Return the built-in client: each model's own provider, with the run's options."""
    configured = current_settings().client
    if configured is not None:
        return configured
    return ProviderClient(_live_settings(config))


def _live_settings(config: pytest.Config) -> LiveSettings:
    options = options_of(config)
    return LiveSettings(
        concurrency=options.concurrency,
        timeout=options.timeout or LiveSettings.timeout,
        requests_per_minute=options.requests_per_minute,
        api_base=options.api_base,
    )


def run_client(config: pytest.Config) -> CachedClient:
    """Return the run's client, made at the first call; it writes nothing before its first reply.

    The cache is in memory only with `--mipro-cache=off`. With `--mipro-replies=fresh` it holds what
    this run asked, on any worker, and nothing older.
    """
    if _CLIENT not in config.stash:
        options = options_of(config)
        client = chosen_client(config)
        if not isinstance(client, ProviderClient):
            client = BoundedClient(client, options.concurrency)
        client = SendingClient(client, _live_settings(config))
        client = PricedClient(client, options.prices)
        client = BreakerClient(client)
        client = BilledClient(client)
        client = CheckedClient(StepClient(client), run_secrets(config))
        since = run_start(config) if options.replies == "fresh" else 0.0
        config.stash[_CLIENT] = CachedClient(client, cache_folder(config), since)
    return config.stash[_CLIENT]


def close_run_client(config: pytest.Config) -> None:
    """Close the run's client, if one was made."""
    client = config.stash.get(_CLIENT, None)
    if client is not None:
        del config.stash[_CLIENT]
        loop.run(client.aclose())


def replies_path(lock: Path) -> Path:
    """Return the file of recorded replies of a lock's study."""
    return lock.with_name(f"{lock.name.removesuffix(LOCK_SUFFIX)}{SUFFIX}")


def recorded_replies(config: pytest.Config, lock: Path) -> RecordedReplies:
    """Return the recorded replies of a lock's study, read once per session.

    Raises RepliesFileError naming the line.
    """
    known = config.stash.setdefault(_RECORDED, {})
    if lock not in known:
        path = replies_path(lock)
        name = format_path(config, path)
        left = partial(_left_behind, config, path.parent)
        known[lock] = RecordedReplies(name, read_replies(path, name), left)
    return known[lock]


def _left_behind(config: pytest.Config, folder: Path) -> list[RecordedReplies]:
    """Return the files of recorded replies in a folder whose test file is gone, read once.

    A named study's replies name the test file that each is of.
    """
    known = config.stash.setdefault(_LEFT_BEHIND, {})
    if folder not in known:
        found = []
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            name = format_path(config, path)
            if not path.with_name(f"{path.name.removesuffix(SUFFIX)}.py").exists():
                with suppress(RepliesFileError):
                    found.append(RecordedReplies(name, read_replies(path, name)))
        known[folder] = [replies for replies in found if not _has_tests(folder, replies)]
    return known[folder]


def _has_tests(folder: Path, replies: RecordedReplies) -> bool:
    named = {
        file for file, separator, _ in (it.case.partition("::") for it in replies) if separator
    }
    return any(file.endswith(".py") and is_regular(folder / file) for file in named)


def replies_of(config: pytest.Config, locks: Sequence[Path]) -> RecordedReplies:
    """Return the recorded replies of these studies together; none in a fresh run."""
    if options_of(config).replies == "fresh":
        return RecordedReplies("")
    files = [recorded_replies(config, lock) for lock in locks]
    if len(files) == 1:
        return files[0]
    name = ", ".join(file.name for file in files)
    return RecordedReplies(name, (reply for file in files for reply in file))


def studies_client(config: pytest.Config, replies: RecordedReplies, case: str = "") -> LMClient:
    """Return what answers calls by the mode and by `replies`; errors name the `case`."""
    mode = options_of(config).replies
    if mode == "record":
        redact = config.stash.setdefault(_REDACT, redactor(config))
        return RecordingClient(run_client(config), replies, redact, run_secrets(config))
    if mode == "replay":
        return RecordedClient(replies, None, case)
    return RecordedClient(replies, run_client(config), case) if replies else run_client(config)
