"""What requests take: at worst before they are made, and by usage afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

from pytest_mipro.optimizer.budget.limits import UnboundedOutputError, UnknownPriceError
from pytest_mipro.optimizer.study.amount import ONE_CALL, Amount, Limits, nanodollars
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Reply, Request, Usage
from pytest_mipro.runtime.client.prices import (
    ModelPrice,
    frame_tokens,
    output_limit,
)
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.render import render

# Tokens per byte of prompt, before any reply: English has 0.25, other scripts up to about 0.5.
_USUAL_RATE = 0.3
# No text has fewer, so an endpoint that tells fewer leaves something out; and hardly one has more,
# so what it tells beyond that is not of the text: a hidden prompt, or the schema of the output.
_LEAST_RATE, _MOST_RATE = 0.125, 0.5


class CostModel:
    """Turns requests and usage into amounts. Thread-safe.

    `worst` raises UnboundedCallError for a request without a bound.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        price_of: Callable[[str], ModelPrice | None] = lambda _: None,
    ) -> None:
        self.limits = limits
        self.price = cache(price_of)
        """The price of a model, None where none is known."""
        self._lock = Lock()
        self._dearest = ONE_CALL

    def amount(self, model: str, usage: Usage, *, calls: int = 1) -> Amount:
        """Return what calls with this usage take, at the model's price."""
        price = self.price(model)
        tokens = usage.prompt_tokens + usage.completion_tokens
        return Amount(calls, tokens, None if price is None else nanodollars(price.cost(usage)))

    def told(self, model: str, usage: Usage, cost: float | None, *, calls: int = 1) -> Amount:
        """Return what replies took that told usage and cost; priced here if money is limited."""
        if cost is None and self.limits.nanodollars is not None:
            return self.amount(model, usage, calls=calls)
        tokens = usage.prompt_tokens + usage.completion_tokens
        return Amount(calls, tokens, None if cost is None else nanodollars(cost))

    def worst(self, request: Request) -> Amount:
        """Return what a request can't exceed: a token has at least one byte."""
        if not self.limits.by_worst_case:
            return Amount(1, None, None)
        output = output_limit(request.parameters)
        if output is None:
            raise UnboundedOutputError(request.model)
        prompt = _most_prompt_tokens(request)
        if self.limits.nanodollars is None:
            return Amount(1, prompt + output, None)
        if self.price(request.model) is None:
            raise UnknownPriceError(request.model)
        return self.amount(request.model, Usage(prompt, output))

    def most(self, request: Request) -> Amount:
        """Return what a request can't exceed, as far as is known without limits of tokens or money.

        Of an output without a limit nothing is known, and no price is looked up for it.
        """
        if self.limits.by_worst_case:
            return self.worst(request)
        output = output_limit(request.parameters) or 0
        return Amount(1, _most_prompt_tokens(request) + output, None)

    def check(self, model: str, *, bounded: bool) -> None:
        """Refuse a model whose calls have no bound; `bounded`: their output has a limit."""
        self.worst(Request(model, (), {"max_tokens": 1} if bounded else {}))

    def took(self, request: Request, reply: Reply) -> Amount:
        """Return what a reply took: its worst case where usage is limited and it reports none."""
        if reply.usage == Usage() and self.limits.by_worst_case:
            return self.worst(request)
        return self.told(request.model, reply.usage, reply.cost)

    def noted(self, request: Request, reply: Reply, worst: Amount) -> Amount:
        """Return what a reply took, and note its worst case, for `dearest`."""
        self.note(worst)
        return self.took(request, reply)

    def note(self, worst: Amount) -> None:
        """Note the worst case of a request, for `dearest`."""
        with self._lock:
            self._dearest = self._dearest.at_least(worst.known)

    @property
    def dearest(self) -> Amount:
        """The highest worst case of a request so far; at least one call."""
        return self._dearest


def _most_prompt_tokens(request: Request) -> int:
    return request.prompt_bytes() + frame_tokens(request)


@dataclass(frozen=True)
class Sizes:
    """The tokens per byte of prompts by model, and the highest worst case of a request."""

    rates: Mapping[str, float]
    dearest: Amount

    def tokens(self, model: str, text: str) -> int:
        """Return about how many tokens a text has for the model."""
        return round(self._rate(model) * byte_size(text))

    def bytes(self, model: str, tokens: int) -> int:
        """Return about how many bytes of UTF-8 a text of so many tokens has."""
        rate = self._rate(model)
        return round(tokens / (_USUAL_RATE if rate < _LEAST_RATE else min(rate, _MOST_RATE)))

    def _rate(self, model: str) -> float:
        return self.rates.get(model, _USUAL_RATE)


def byte_size(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def sizes_of(
    calls: Iterable[ModuleCall], committed: Mapping[Path, Prompt], dearest: Amount
) -> Sizes:
    """Return the sizes in calls that were made under the committed prompts."""
    seen: dict[str, tuple[int, int]] = {}
    for call in calls:
        prompt = committed.get(call.signature.prompt_path)
        text_alone = not call.signature.attached  # images count as no bytes of the text
        if prompt is not None and text_alone and call.requests == 1 and call.usage.prompt_tokens:
            messages = render(call.signature, prompt, call.inputs)
            size, tokens = seen.get(call.model, (0, 0))
            size += sum(byte_size(message.content) for message in messages)
            seen[call.model] = (size, tokens + call.usage.prompt_tokens)
    return Sizes({model: tokens / size for model, (size, tokens) in seen.items()}, dearest)
