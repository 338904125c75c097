"""Prices of models, what a reply cost by them, and what bounds the tokens of a request."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.runtime.client.contract import at_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_mipro.runtime.client.contract import LMClient, Reply, Request, Usage

MILLION = 1_000_000
_LIMITS = ("max_tokens", "max_completion_tokens")
# What chat templates put around a message, and around all of them.
_FRAME_TOKENS = 16


@dataclass(frozen=True)
class ModelPrice:
    """What a model takes: US dollars per million prompt and completion tokens."""

    prompt: float
    completion: float

    def cost(self, usage: Usage) -> float:
        """Return the cost of this usage in US dollars."""
        total = usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion
        return total / MILLION


def known_price(client: LMClient, model: str) -> ModelPrice | None:
    """Return the price that the client knows of a model, None where it knows none.

    A client may have a method `price(model)`; it may take seconds, as litellm's table is imported.
    """
    price: Callable[[str], ModelPrice | None] | None = getattr(client, "price", None)
    return None if price is None else price(model)


def output_limit(parameters: Mapping[str, object]) -> int | None:
    """Return the tokens that a reply may have by these sampling parameters, None: no limit."""
    limits = [value for name in _LIMITS if isinstance(value := parameters.get(name), int)]
    return min(limits, default=None)


def prompt_bytes(request: Request) -> int:
    """Return the bytes of a request's prompt in UTF-8, those of a reply's schema included.

    No tokenizer makes more tokens of a text than it has bytes.
    """
    texts = [message.content for message in request.messages]
    if request.response_schema is not None:
        texts.append(json.dumps(dict(request.response_schema)))
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def frame_tokens(request: Request) -> int:
    """Return the tokens, at most, that stand around the contents of a request's messages."""
    return _FRAME_TOKENS * (1 + len(request.messages))


class PricedClient:
    """A client whose replies cost what `prices` say, for the models named there."""

    def __init__(self, inner: LMClient, prices: Mapping[str, ModelPrice]) -> None:
        self._inner = inner
        self._prices = prices

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply with its cost."""
        return self._priced(request, await self._inner.complete(request))

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply that the inner client has at hand, with its cost."""
        reply = at_hand(self._inner, request)
        return None if reply is None else self._priced(request, reply)

    def price(self, model: str) -> ModelPrice | None:
        """Return the price that was set for the model, else the one that the inner client knows."""
        return self._prices.get(model) or known_price(self._inner, model)

    def endpoint(self, model: str) -> str:
        """Return what the inner client says."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Close the inner client."""
        await self._inner.aclose()

    def _priced(self, request: Request, reply: Reply) -> Reply:
        price = self._prices.get(request.model)
        return reply if price is None else replace(reply, cost=price.cost(reply.usage))
