"""Prices of models, and upper bounds on the tokens of a request and its reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_mipro.runtime.client.contract import LMClient, Request, Usage

MILLION = 1_000_000
_LIMITS = ("max_tokens", "max_completion_tokens")
_FRAME_TOKENS = 16  # by a chat template, around each message and around all of them


@dataclass(frozen=True)
class ModelPrice:
    """US dollars per million prompt and completion tokens."""

    prompt: float
    completion: float

    def cost(self, usage: Usage) -> float:
        """Return the cost of this usage in US dollars."""
        total = usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion
        return total / MILLION


def known_price(client: LMClient, model: str) -> ModelPrice | None:
    """Return the price of a model by the client's optional method `price(model)`, None if unknown.

    It may take seconds: litellm is imported for its table.
    """
    price: Callable[[str], ModelPrice | None] | None = getattr(client, "price", None)
    return None if price is None else price(model)


def output_limit(parameters: Mapping[str, object]) -> int | None:
    """Return how many tokens these sampling parameters allow a reply, None: no limit.

    Of `n` choices, as a pipeline's own client may ask for, each may have as many.
    """
    limits = [value for name in _LIMITS if isinstance(value := parameters.get(name), int)]
    choices = parameters.get("n")
    return min(limits) * max(1, choices if isinstance(choices, int) else 1) if limits else None


def frame_tokens(request: Request) -> int:
    """Return an upper bound on the tokens that a chat template adds around a request's messages."""
    return _FRAME_TOKENS * (1 + len(request.messages))
