"""What requests take: at worst before they are made, by usage afterwards, and expected."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock

from pytest_mipro.optimizer.budget.limits import UnboundedOutputError, UnknownPriceError
from pytest_mipro.optimizer.study.amount import (
    NOTHING,
    ONE_CALL,
    Amount,
    Limits,
    nanodollars,
    total,
)
from pytest_mipro.optimizer.study.case import CaseRun
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
_UNTOLD = Usage()
# So many selections of rows are asked about over and over.
_ROW_SETS = 16


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
        with self._lock:
            self._dearest = self._dearest.at_least(worst.known)
        return self.took(request, reply)

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
        return round(self._rate(model) * _size(text))

    def bytes(self, model: str, tokens: int) -> int:
        """Return about how many bytes of UTF-8 a text of so many tokens has."""
        rate = self._rate(model)
        return round(tokens / (_USUAL_RATE if rate < _LEAST_RATE else min(rate, _MOST_RATE)))

    def _rate(self, model: str) -> float:
        return self.rates.get(model, _USUAL_RATE)


def _size(text: str) -> int:
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
            size += sum(_size(message.content) for message in messages)
            seen[call.model] = (size, tokens + call.usage.prompt_tokens)
    return Sizes({model: tokens / size for model, (size, tokens) in seen.items()}, dearest)


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


@dataclass(frozen=True)
class _Took:
    """What calls `told` that they took, and their usage; and the worst case of `untold` ones."""

    told: Amount = NOTHING
    usage: Usage = _UNTOLD
    untold: Amount = NOTHING

    def __add__(self, other: _Took) -> _Took:
        return _Took(self.told + other.told, self.usage + other.usage, self.untold + other.untold)


class Expectation:
    """What programs are expected to take on rows, by the calls of the committed prompts there."""

    def __init__(
        self,
        calls: Mapping[str, Sequence[ModuleCall]],
        committed: Mapping[Path, Prompt],
        cost_model: CostModel,
        sizes: Sizes,
    ) -> None:
        self.calls = calls
        self.committed = committed
        self._cost_model = cost_model
        self._sizes = sizes
        self._summed = lru_cache(_ROW_SETS)(self._sum)  # each trial asks, of the same rows
        self._models = defaultdict[Path, set[str]](set)  # a case may name another
        for call in (call for made in calls.values() for call in made):
            self._models[call.signature.prompt_path].add(call.model)

    def of(
        self, rows: Iterable[str], program: Mapping[Path, Prompt], teacher: str | None = None
    ) -> Amount:
        """Return what a program is expected to take; `teacher` may answer for its modules."""
        return total(self.by_model(rows, self._longer(program), teacher).values())

    def by_model(
        self, rows: Iterable[str], longer: Mapping[Path, int], teacher: str | None = None
    ) -> dict[str, Amount]:
        """Return the amounts by model; `longer`: a prompt's tokens beyond the committed one's."""
        amounts: defaultdict[str, Amount] = defaultdict(Amount)
        for (path, model), took in self._summed(tuple(rows)).items():
            amounts[teacher or model] += self._more(took, model, longer.get(path, 0), teacher)
        return dict(amounts)

    def dearer(
        self, most: Amount, program: Mapping[Path, Prompt], teacher: str | None = None
    ) -> Amount:
        """Return the worst case of a request that takes `most` under the committed prompts."""
        if not self._cost_model.limits.by_worst_case:
            return most
        models, more = self._models, most
        for path, prompt in program.items():
            if path in self.committed and path in models:
                longer = max(0, _size(_text(prompt)) - _size(_text(self.committed[path])))
                for model in models[path]:
                    grown = self._cost_model.amount(model, Usage(longer, 0), calls=0)
                    more = more.at_least(most + grown.known)
        if teacher is not None:
            more = more.at_least(self._cost_model.amount(teacher, Usage(0, more.tokens or 0)).known)
        return more

    def _sum(self, rows: tuple[str, ...]) -> dict[tuple[Path, str], _Took]:
        """Return what the calls on these rows took, by prompt path and model."""
        summed: defaultdict[tuple[Path, str], _Took] = defaultdict(_Took)
        for call in (call for row in rows for call in self.calls[row]):
            summed[call.signature.prompt_path, call.model] += self._took(call)
        return dict(summed)

    def _took(self, call: ModuleCall) -> _Took:
        if call.usage == _UNTOLD:  # an endpoint that tells none: each call counts at its worst case
            worst = self._sizes.dearest.times(call.requests)
            return _Took(untold=replace(worst, calls=call.requests))
        told = self._cost_model.told(call.model, call.usage, call.cost, calls=call.requests)
        return _Took(told, call.usage)

    def _more(self, took: _Took, model: str, longer: int, teacher: str | None) -> Amount:
        """Return what calls take whose prompts are `longer` by so many tokens each."""
        told, usage = took.told, took.usage
        extra = Usage(longer * told.calls, 0)
        if teacher is not None and usage != _UNTOLD:
            whole = Usage(usage.prompt_tokens + extra.prompt_tokens, usage.completion_tokens)
            return took.untold + self._cost_model.amount(teacher, whole, calls=told.calls)
        if not extra.prompt_tokens or told.nanodollars is None:  # no price need be looked up
            return took.untold + told + Amount(0, extra.prompt_tokens, 0)
        return took.untold + told + self._cost_model.amount(model, extra, calls=0)

    def _longer(self, program: Mapping[Path, Prompt]) -> dict[Path, int]:
        models = self._models
        return {
            path: max(
                self._sizes.tokens(model, _text(prompt))
                - self._sizes.tokens(model, _text(self.committed[path]))
                for model in models[path]
            )
            for path, prompt in program.items()
            if path in self.committed and path in models
        }


def _text(prompt: Prompt) -> str:
    demos = [asdict(demo) for demo in prompt.demos]
    return prompt.instruction + json.dumps(demos, ensure_ascii=False, default=str)
