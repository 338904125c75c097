"""Route a model to the installed provider for the prefix of its name, else to litellm."""

from __future__ import annotations

import threading
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from pytest_mipro.errors import UnknownModelError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request, samples_at_0
from pytest_mipro.runtime.client.forks import in_each_child
from pytest_mipro.runtime.client.live.attempts import LiveSettings
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient
from pytest_mipro.runtime.client.prices import ModelPrice, known_price
from pytest_mipro.runtime.client.wrappers import BoundedClient
from pytest_mipro.runtime.text.redaction import one_line
from pytest_mipro.runtime.text.safe_text import text_of

GROUP = "pytest_mipro.providers"
"""The entry point group: name = the models' prefix, value = a class without arguments."""


class ProviderClient:
    """Routes each model by the part of its name before the first `/`.

    An entry point of that name in the group `pytest_mipro.providers` serves it; all other models
    go to litellm. Nothing is imported before the first request that needs it.
    """

    def __init__(self, settings: LiveSettings | None = None) -> None:
        self._settings = settings or LiveSettings()
        self._live = LiteLLMClient(self._settings)
        self._providers: dict[str, LMClient] = {}
        self._loading = threading.Lock()

    async def complete(self, request: Request) -> Reply:
        """Return the reply of the model's client."""
        return await self._client(request.model).complete(request)

    def price(self, model: str) -> ModelPrice | None:
        """Return the price that the model's client knows."""
        return known_price(self._client(model), model)

    def samples_at_0(self, model: str) -> bool:
        """Return what the model's client knows of it."""
        return samples_at_0(self._client(model), model)

    def endpoint(self, model: str) -> str:
        """Return the endpoint of the model's client."""
        return self._client(model).endpoint(model)

    async def aclose(self) -> None:
        """Close every client that was used."""
        with self._loading:
            clients = [*self._providers.values(), self._live]
        for client in clients:
            await client.aclose()

    def _client(self, model: str) -> LMClient:
        prefix, slash, _ = model.partition("/")
        entry = _entries().get(prefix) if slash else None
        if entry is None:
            return self._live
        with self._loading:
            if prefix not in self._providers:
                provider = _load(entry, model)
                self._providers[prefix] = BoundedClient(provider, self._settings.concurrency)
            return self._providers[prefix]


@cache
def _entries() -> dict[str, EntryPoint]:
    # Once per process: reading the metadata of all installed packages takes milliseconds.
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint, model: str) -> LMClient:
    try:
        client = entry.load()()
    except Exception as error:
        raise UnknownModelError(
            f"the provider of model {model!r}, {entry.value}, can't be loaded: "
            f"{type(error).__name__}: {one_line(text_of(error), 200)}; "
            f"repair or uninstall the package that registers it"
        ) from error
    if not isinstance(client, LMClient):
        raise UnknownModelError(
            f"the provider of model {model!r}, {entry.value}, is not an LM client: "
            f"it needs the methods complete, endpoint and aclose"
        )
    return client


@cache
def default_client() -> ProviderClient:
    """Return the process's client for module calls that have no other client."""
    return ProviderClient()


def _start_afresh() -> None:
    """Drop the client in a forked process: it waits for calls of its parent."""
    if default_client.cache_info().currsize:
        loop.leave_behind(default_client())
        default_client.cache_clear()


in_each_child(_start_afresh)
