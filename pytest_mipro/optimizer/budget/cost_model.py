"""The cost of a request: at worst before it is made, and by its reply's usage afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from threading import Lock

from pytest_mipro.optimizer.budget.limit_errors import UnboundedOutputError, UnknownPriceError
from pytest_mipro.optimizer.study.amount import ONE_CALL, Amount, Limits, nanodollars
from pytest_mipro.runtime.client.contract import Reply, Request, Usage
from pytest_mipro.runtime.client.prices import ModelPrice, frame_tokens, output_limit, prompt_bytes

# Tokens per byte of prompt: English has 0.25, other scripts up to about 0.5.
_USUAL_RATE = 0.5
# A request may have this many times the tokens per byte of the baseline's average.
_MARGIN = 1.25


class CostModel:
    """Bounds and counts what requests take in each limited currency. Thread-safe.

    Prompt tokens are estimated from bytes, at the model's rate in the baseline; the bill is bounded
    by the bytes themselves (`hard`). Raises UnboundedCallError for a request that can't be bounded
    while tokens or money are limited.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        price_of: Callable[[str], ModelPrice | None] = lambda _: None,
    ) -> None:
        self._limits = limits
        self.price = cache(price_of)
        """The price of a model, None where none is known."""
        self._lock = Lock()
        self._seen: dict[str, tuple[int, int]] = {}
        self._rates: dict[str, float] = {}
        self.calibrated = False

    def rate(self, model: str) -> float:
        """Return the tokens reserved per byte of a prompt to the model."""
        return self._rates.get(model, _USUAL_RATE)

    def worst(self, request: Request) -> Amount:
        """Return what a request may take, by the estimate of its prompt's tokens.

        Before `calibrate` that is one call: the baseline is charged its usage.
        """
        bounded = self._bounded(request, self.rate(request.model))
        return bounded if self.calibrated else ONE_CALL

    def hard(self, request: Request) -> Amount:
        """Return what a request can't exceed: a token has at least one byte."""
        return self._bounded(request, 1.0)

    def _bounded(self, request: Request, rate: float) -> Amount:
        if not self._limits.by_worst_case:
            return Amount(1, None, None)
        output = output_limit(request.parameters)
        if output is None:
            raise UnboundedOutputError(request.model)
        prompt = math.ceil(rate * prompt_bytes(request)) + frame_tokens(request)
        return Amount(1, prompt + output, self.money(request.model, Usage(prompt, output)))

    def money(self, model: str, usage: Usage) -> int | None:
        """Return the cost of a usage; None where money is not limited."""
        if self._limits.nanodollars is None:
            return None
        price = self.price(model)
        if price is None:
            raise UnknownPriceError(model)
        return nanodollars(price.cost(usage))

    def check(self, model: str, *, bounded: bool) -> None:
        """Refuse a model whose calls have no bound; `bounded`: their output has a limit."""
        self.hard(Request(model, (), {"max_tokens": 1} if bounded else {}))

    def actual(self, request: Request, reply: Reply, worst: Amount) -> Amount:
        """Return what a reply took: `worst` where usage is limited and the reply reports none."""
        usage = reply.usage
        if usage == Usage() and self._limits.by_worst_case:
            return worst
        tokens = usage.prompt_tokens + usage.completion_tokens
        cost = reply.cost
        if cost is None and self._limits.nanodollars is not None:
            price = self.price(request.model)
            cost = None if price is None else price.cost(usage)
        return Amount(1, tokens, None if cost is None else nanodollars(cost))

    def note(self, request: Request, reply: Reply) -> None:
        """Note a reply of the baseline, for `calibrate`."""
        tokens = reply.usage.prompt_tokens
        if tokens and not self.calibrated:
            with self._lock:
                size, earlier = self._seen.get(request.model, (0, 0))
                self._seen[request.model] = (size + prompt_bytes(request), earlier + tokens)

    def calibrate(self) -> None:
        """From now on, estimate prompts by the noted replies, with a margin."""
        with self._lock:
            self.calibrated = True
            for model, (size, tokens) in self._seen.items():
                if size:
                    self._rates[model] = min(1.0, _MARGIN * tokens / size)
