"""The worst case of a program's runs, extrapolated from those of the committed prompts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.study.amount import Amount, nanodollars, total
from pytest_mipro.optimizer.study.runs import CaseRun
from pytest_mipro.runtime.calls.context import ModuleCall
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.client.prices import MILLION, output_limit
from pytest_mipro.runtime.prompts.prompt import Prompt

# A program may need this many times the committed prompts' calls on the same rows, and a few more.
CALLS_FACTOR = 1.5
CALLS_EXTRA = 10
_MARGIN = 1.25
# The framing of a request's messages, and of the two messages of a demo.
_FRAME_TOKENS = 80
_DEMO_TOKENS = 32


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
