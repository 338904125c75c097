"""The cost of requests: at worst before they are made, by usage afterwards; and of programs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from threading import Lock

from pytest_mipro.optimizer.budget.limits import UnboundedOutputError, UnknownPriceError
from pytest_mipro.optimizer.study.amount import ONE_CALL, Amount, Limits, nanodollars, total
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.runtime.calls.context import ModuleCall
from pytest_mipro.runtime.client.contract import Reply, Request, Usage
from pytest_mipro.runtime.client.prices import (
    MILLION,
    ModelPrice,
    frame_tokens,
    output_limit,
    prompt_bytes,
)
from pytest_mipro.runtime.prompts.prompt import Prompt

# Tokens per byte of prompt: English has 0.25, other scripts up to about 0.5.
_USUAL_RATE = 0.5
# A request may have this many times the tokens per byte of the baseline's average.
_MARGIN = 1.25
# A program may need this many times the committed prompts' calls on the same rows, and a few more.
CALLS_FACTOR = 1.5
CALLS_EXTRA = 10
# The framing of a request's messages, and of the two messages of a demo.
_FRAME_TOKENS = 80
_DEMO_TOKENS = 32


class CostModel:
    """Bounds and counts what requests take in each limited currency. Thread-safe.

    Prompt tokens are estimated from bytes, at the model's rate in the baseline; the bill is bounded
    by the bytes themselves (`hard`). Raises UnboundedCallError for a request without a bound.
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
        """Return what a request may take by estimate; one call before `calibrate`."""
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


def calls_by_row(runs: Iterable[CaseRun]) -> dict[str, tuple[ModuleCall, ...]]:
    """Return the distinct calls made for each row: its cases share equal ones through the cache."""
    calls: dict[str, dict[str, ModuleCall]] = {}
    for item in runs:
        row = calls.setdefault(item.case.row, {})
        for call in item.calls:
            path, parameters, inputs = call.signature.prompt_path, call.parameters, call.inputs
            identity = [str(path), call.model, dict(parameters), dict(inputs), item.sample]
            key = json.dumps(identity, sort_keys=True)
            if key not in row or call.requests > row[key].requests:
                row[key] = call
    return {row: tuple(distinct.values()) for row, distinct in calls.items()}


class WorstCase:
    """The tokens and money that programs may take on rows; all calls are known to be bounded."""

    def __init__(
        self,
        by_row: Mapping[str, Sequence[ModuleCall]],
        committed: Mapping[Path, Prompt],
        cost_model: CostModel,
    ) -> None:
        self._committed = committed
        self._cost_model = cost_model
        self._calls = by_row
        takes = {row: [self._takes(call) for call in calls] for row, calls in by_row.items()}
        self._rows = {row: total(amounts) for row, amounts in takes.items()}
        self._models = {
            call.signature.prompt_path: call.model for calls in by_row.values() for call in calls
        }
        each = [amount for amounts in takes.values() for amount in amounts]
        self._dearest = Amount(
            1,
            max((item.tokens or 0 for item in each), default=0),
            max((item.nanodollars or 0 for item in each), default=0),
        )

    def of(
        self, rows: Sequence[str], program: Mapping[Path, Prompt], teacher: str | None = None
    ) -> Amount:
        """Return the worst case of a program on rows; `teacher` may answer for its modules."""
        grown = {path: self._growth(path, prompt) for path, prompt in program.items()}
        more = total(
            grown[call.signature.prompt_path].times(call.requests)
            for row in rows
            for call in self._calls[row]
            if call.signature.prompt_path in grown
        )
        base = total(self._rows[row] for row in rows) + more
        dearest = total([self._dearest, *grown.values()])
        worst = base.times(CALLS_FACTOR) + dearest.times(CALLS_EXTRA)
        return worst if teacher is None else self._taught(worst, teacher)

    def _takes(self, call: ModuleCall) -> Amount:
        prompt = math.ceil(_MARGIN * call.usage.prompt_tokens)
        if not prompt:  # an endpoint that reports no usage
            prompt = self._size(call.model, json.dumps(dict(call.inputs)))
        output = output_limit(call.parameters) or 0
        usage = Usage(prompt + call.requests * _FRAME_TOKENS, call.requests * output)
        tokens = usage.prompt_tokens + usage.completion_tokens
        return Amount(call.requests, tokens, self._cost_model.money(call.model, usage))

    def _growth(self, path: Path, prompt: Prompt) -> Amount:
        """Return how much more a call takes under this prompt than under the committed one."""
        before = self._committed.get(path)
        if before is None or path not in self._models:
            return Amount()
        model = self._models[path]
        tokens = max(0, self._prompt_size(model, prompt) - self._prompt_size(model, before))
        return Amount(0, tokens, self._cost_model.money(model, Usage(tokens, 0)))

    def _prompt_size(self, model: str, prompt: Prompt) -> int:
        demos = json.dumps([asdict(demo) for demo in prompt.demos], ensure_ascii=False, default=str)
        return self._size(model, prompt.instruction + demos) + _DEMO_TOKENS * len(prompt.demos)

    def _size(self, model: str, text: str) -> int:
        return math.ceil(self._cost_model.rate(model) * len(text.encode("utf-8", "surrogatepass")))

    def _taught(self, worst: Amount, teacher: str) -> Amount:
        price = self._cost_model.price(teacher)
        if price is None or worst.nanodollars is None:
            return worst
        dear = max(price.prompt, price.completion) / MILLION * (worst.tokens or 0)
        return replace(worst, nanodollars=max(worst.nanodollars, nanodollars(dear)))
