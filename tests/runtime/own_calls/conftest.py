"""A loopback stub, and a client as a case has it, for the calls of own clients."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from lm_stub import Stub, stub

from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import LMClient, OfflineClient
from pytest_mipro.runtime.client.live.attempts import LiveSettings
from pytest_mipro.runtime.own_calls.sending import SendingClient

NOT_BEGUN = "coroutine 'connect_tcp"
SETTINGS = LiveSettings(concurrency=8, attempts=2, backoff=0.001, longest_wait=0.01)


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as running:
        yield running


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LMClient]:
    made = CachedClient(SendingClient(OfflineClient(), SETTINGS), tmp_path / "cache")
    yield made
    loop.run(made.aclose())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let no test here be blamed for the connections that the clients of another left open.

    Some were not even begun when the loop of their test ended.
    """
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{NOT_BEGUN}:RuntimeWarning"))


@pytest.fixture(autouse=True, scope="module")
def _collected() -> Iterator[None]:
    """Collect them before a test elsewhere is blamed; after each test it would take long."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.filterwarnings("ignore", NOT_BEGUN, RuntimeWarning)
        gc.collect()
    gc.freeze()  # the next one looks at what is new alone: litellm has a million objects
