"""What programs are expected to take on rows, by the calls of the committed prompts there."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from pytest_mipro.optimizer.budget.cost_model import CostModel, Sizes, byte_size
from pytest_mipro.optimizer.study.amount import NOTHING, Amount, total
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.prompts.prompt import Prompt

_UNTOLD = Usage()
# So many selections of rows are asked about over and over.
_ROW_SETS = 32


@dataclass(frozen=True)
class RowCalls:
    """The distinct calls made for each row, and which calls of a case can follow from which.

    `before` holds for each module's prompt those whose calls began before one of its own in some
    case, its own too: where none of these changes, its calls have the same requests.
    """

    by_row: Mapping[str, Sequence[ModuleCall]]
    before: Mapping[Path, frozenset[Path]]


def calls_by_row(runs: Sequence[CaseRun]) -> RowCalls:
    """Return the calls made for each row: its cases share equal ones through the cache."""
    rows: dict[str, dict[str, ModuleCall]] = {}
    for item in runs:
        row = rows.setdefault(item.case.row, {})
        for call in item.calls:
            key = f"{call_identity(call)}{item.sample}"
            if key not in row or call.requests > row[key].requests:
                row[key] = call
    by_row = {row: tuple(distinct.values()) for row, distinct in rows.items()}
    return RowCalls(by_row, _begun_before(runs))


def _begun_before(runs: Iterable[CaseRun]) -> dict[Path, frozenset[Path]]:
    """Return `RowCalls.before`.

    Modules called at once begin now in one order, now in the other: over all cases, each counts as
    following from the other.
    """
    before: defaultdict[Path, set[Path]] = defaultdict(set)
    for item in runs:
        begun: dict[Path, None] = {}
        for call in sorted(item.calls, key=lambda call: call.place):
            begun[call.signature.prompt_path] = None
            before[call.signature.prompt_path].update(begun)
    return {path: frozenset(paths) for path, paths in before.items()}


def call_identity(call: ModuleCall) -> str:
    """Return a text that is equal for equal calls.

    The sample of a repeated case is not in it, but in the digest of an own client's call.
    """
    path, parameters, inputs = call.signature.prompt_path, call.parameters, call.inputs
    identity = [str(path), call.model, dict(parameters), dict(inputs), call.digest]
    return json.dumps(identity, sort_keys=True)


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
        made: RowCalls,
        committed: Mapping[Path, Prompt],
        cost_model: CostModel,
        sizes: Sizes,
    ) -> None:
        self.calls = made.by_row
        self.committed = committed
        self._before = made.before
        self._cost_model = cost_model
        self._sizes = sizes
        self._summed = lru_cache(_ROW_SETS)(self._sum)  # each trial asks, of the same rows
        self._models = defaultdict[Path, set[str]](set)  # a case may name another
        for call in (call for calls in self.calls.values() for call in calls):
            self._models[call.signature.prompt_path].add(call.model)

    def of(
        self, rows: Iterable[str], program: Mapping[Path, Prompt], teacher: str | None = None
    ) -> Amount:
        """Return what a program is expected to take; `teacher` may answer for its modules."""
        return total(self.by_model(rows, self._longer(program), teacher).values())

    def beside_committed(self, rows: Iterable[str], program: Mapping[Path, Prompt]) -> Amount:
        """Return what a program takes where the committed prompts' replies are known.

        Calls that follow from no module with another prompt are not made anew. Of the committed
        prompts themselves all are counted.
        """
        changed = frozenset(
            path for path, prompt in program.items() if prompt != self.committed.get(path)
        )
        longer = self._longer(program)
        return total(
            self._more(took, model, longer.get(path, 0))
            for (path, model), took in self._summed(tuple(rows), changed).items()
        )

    def by_model(
        self,
        rows: Iterable[str],
        longer: Mapping[Path, int],
        teacher: str | None = None,
        taught: Container[Path] | None = None,
    ) -> dict[str, Amount]:
        """Return the amounts by model; `longer`: a prompt's tokens beyond the committed one's.

        A `teacher` may answer for the modules in `taught` (None: all).
        """
        amounts: defaultdict[str, Amount] = defaultdict(Amount)
        for (path, model), took in self._summed(tuple(rows), frozenset()).items():
            other = teacher if taught is None or path in taught else None
            amounts[other or model] += self._more(took, model, longer.get(path, 0), other)
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
                longer = max(0, byte_size(_text(prompt)) - byte_size(_text(self.committed[path])))
                for model in models[path]:
                    grown = self._cost_model.amount(model, Usage(longer, 0), calls=0)
                    more = more.at_least(most + grown.known)
        if teacher is not None:
            more = more.at_least(self._cost_model.amount(teacher, Usage(0, more.tokens or 0)).known)
        return more

    def _sum(
        self, rows: tuple[str, ...], changed: frozenset[Path]
    ) -> dict[tuple[Path, str], _Took]:
        """Return what the calls on these rows took, by prompt path and model.

        If prompts are `changed`, calls that none of them can change are left out.
        """
        summed: defaultdict[tuple[Path, str], _Took] = defaultdict(_Took)
        for call in (call for row in rows for call in self.calls[row]):
            path = call.signature.prompt_path
            if not changed or not changed.isdisjoint(self._before[path]):
                summed[path, call.model] += self._took(call)
        return dict(summed)

    def _took(self, call: ModuleCall) -> _Took:
        if call.usage == _UNTOLD:  # an endpoint that tells none: each call counts at its worst case
            worst = self._sizes.dearest.times(call.requests)
            return _Took(untold=replace(worst, calls=call.requests))
        told = self._cost_model.told(call.model, call.usage, call.cost, calls=call.requests)
        return _Took(told, call.usage)

    def _more(self, took: _Took, model: str, longer: int, teacher: str | None = None) -> Amount:
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
