"""The client of a pytest run: what the hook gives, else the live one, behind the reply cache."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_mipro.plugin.config.cache_folder import cache_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.replies.bill import BilledClient
from pytest_mipro.plugin.replies.breaker import BreakerClient
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.bounded import BoundedClient
from pytest_mipro.runtime.client.litellm_client import LiveSettings
from pytest_mipro.runtime.client.prices import PricedClient
from pytest_mipro.runtime.client.providers import ProviderClient
from pytest_mipro.runtime.settings import current_settings
from pytest_mipro.runtime.text.redaction import SHORTEST_IN_DATA, hide_values, url_secrets

if TYPE_CHECKING:
    from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
    from pytest_mipro.runtime.client.prices import ModelPrice

STARTED = "mipro_started"
_CLIENT = pytest.StashKey[CachedClient]()
_PRICED = pytest.StashKey[PricedClient]()
_STARTED = pytest.StashKey[float]()


def run_start(config: pytest.Config) -> float:
    """Return when the run began, in Unix seconds: one time for all workers of pytest-xdist."""
    given: dict[str, float] = getattr(config, "workerinput", {})
    return given.get(STARTED) or config.stash.setdefault(_STARTED, time.time())


def client_of(config: pytest.Config) -> CachedClient:
    """Return the run's client, made at the first call; it writes nothing before its first reply.

    It is the cache around what `pytest_mipro_client` gives, in memory alone with
    `--mipro-cache=off`. With `--mipro-replies=fresh` the cache
    holds what this run asked, on whatever worker, and nothing older.
    """
    if _CLIENT not in config.stash:
        inner: LMClient = config.hook.pytest_mipro_client(config=config)
        if not isinstance(inner, ProviderClient):  # that one bounds the calls to each model
            inner = BoundedClient(inner, options_of(config).concurrency)
        since = run_start(config) if options_of(config).replies == "fresh" else 0.0
        inner = PricedClient(inner, options_of(config).prices)
        config.stash[_PRICED] = inner
        secrets = tuple(url_secrets(options_of(config).api_base))
        outer = _KeepableClient(BilledClient(BreakerClient(inner)), secrets)
        config.stash[_CLIENT] = CachedClient(outer, cache_folder(config), since)
    return config.stash[_CLIENT]


def price_of(config: pytest.Config, model: str) -> ModelPrice | None:
    """Return a model's price: that of ini `mipro_prices`, else what its client knows."""
    client_of(config)
    return config.stash[_PRICED].price(model)


class _KeepableClient:
    """Makes replies fit to be kept: dated, and without a key that the endpoint has put into one."""

    def __init__(self, inner: LMClient, secrets: tuple[str, ...]) -> None:
        self._inner = inner
        self._secrets = secrets

    async def complete(self, request: Request) -> Reply:
        reply = await self._inner.complete(request)
        return replace(
            reply,
            text=hide_values(reply.text, self._secrets, SHORTEST_IN_DATA),
            model=hide_values(reply.model, self._secrets, SHORTEST_IN_DATA),
            asked=reply.asked or time.time(),
        )

    def endpoint(self, model: str) -> str:
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        await self._inner.aclose()


def live_client(config: pytest.Config) -> LMClient:
    """Return the built-in client: each model's own provider, with the run's options."""
    configured = current_settings().client
    if configured is not None:
        return configured
    options = options_of(config)
    settings = LiveSettings(
        concurrency=options.concurrency,
        requests_per_minute=options.requests_per_minute,
        tokens_per_minute=options.tokens_per_minute,
        api_base=options.api_base,
    )
    if options.timeout is not None:
        settings = replace(settings, timeout=options.timeout)
    return ProviderClient(settings)


def close_client(config: pytest.Config) -> None:
    """Close the run's client, where one was made."""
    client = config.stash.get(_CLIENT, None)
    if client is not None:
        del config.stash[_CLIENT]
        loop.run(client.aclose())
