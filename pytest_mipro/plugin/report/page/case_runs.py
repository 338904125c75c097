"""The runs of cases as data of the page: scores, feedback, and what each module saw and said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.plugin.report.page.texts import Texts
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.render import render
from pytest_mipro.runtime.signature.json_values import to_text

Runs = Mapping[str, list[CaseRun]]


@dataclass(frozen=True)
class Leads:
    """The messages before the last one of calls: those that begin alike share them, by number."""

    all: list[list[tuple[str, int]]] = field(default_factory=list)
    _places: dict[tuple[tuple[str, int], ...], int] = field(default_factory=dict)

    def add(self, messages: Sequence[tuple[str, int]]) -> int:
        """Return the number of these messages, each a role and the number of its text."""
        key = tuple(messages)
        if key not in self._places:
            self._places[key] = len(self.all)
            self.all.append(list(messages))
        return self._places[key]


@dataclass(frozen=True)
class CaseData:
    """Writes runs of cases as data."""

    texts: Texts
    leads: Leads = field(default_factory=Leads)

    def run(self, runs: Iterable[CaseRun], prompts: Mapping[Path, Prompt]) -> dict[str, Any]:
        """Return the data of a case's run under these prompts: of several samples, the worst."""
        samples = sorted(runs, key=lambda run: run.outcome.score or 0.0)
        worst, outcome = samples[0], samples[0].outcome
        made: list[ModuleCall | StepCall] = [*worst.calls, *worst.steps]
        told = outcome.error or outcome.failure or outcome.skipped or outcome.feedback
        data: dict[str, Any] = {
            "score": rounded(outcome.score),
            "calls": [
                self._step(call)
                if isinstance(call, StepCall)
                else self._call(call, worst.case.row, prompts)
                for call in sorted(made, key=lambda call: call.place)
            ],
        }
        if told:
            data["feedback"] = self.texts.add(told)
        if outcome.metrics:
            data["metrics"] = dict(outcome.metrics)
        if len(samples) > 1:
            data["samples"] = [rounded(run.outcome.score) for run in samples]
        return data

    def _call(self, call: ModuleCall, row: str, prompts: Mapping[Path, Prompt]) -> dict[str, Any]:
        add = self.texts.add
        data: dict[str, Any] = {
            "module": add(call.signature.label),
            "model": add(call.model),
            "tokens": call.usage.prompt_tokens + call.usage.completion_tokens,
            "cost": call.cost,
            "seconds": took(call.latency),
            "cached": call.cached,
            "reply": add(call.text),
        }
        if not call.own:
            prompt = prompts.get(call.signature.prompt_path) or committed_prompt(call.signature)
            *lead, asked = render(call.signature, prompt.without(row, call.inputs), call.inputs)
            data["lead"] = self.leads.add([(each.role, add(each.content)) for each in lead])
            data["asked"] = (asked.role, add(asked.content))
        further = {
            "output": parsed(call.text, call.output),
            "reasoning": call.reasoning,
            "error": call.error,
        }
        data |= {name: add(text) for name, text in further.items() if text}
        if call.requests > 1:
            data["requests"] = call.requests
        return data

    def _step(self, call: StepCall) -> dict[str, Any]:
        output = {"error": call.error} if call.error else {"output": as_json(call.output)}
        return step_data(
            self.texts, call.name, as_json(dict(call.inputs)), output, call.seconds, call.cached
        )


def step_data(
    texts: Texts, name: str, inputs: str, gave: Mapping[str, str], seconds: float, cached: bool
) -> dict[str, Any]:
    """Return the data of a step's call; `gave` is its output or its error."""
    return {
        "step": True,
        "module": texts.add(name),
        "inputs": texts.add(inputs),
        **{kind: texts.add(text) for kind, text in gave.items()},
        "seconds": took(seconds),
        "cached": cached,
    }


def as_json(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def took(seconds: float) -> float:
    """Return seconds as short as people read them; 0.0: unknown."""
    return round(seconds, 3)


def by_case(runs: Iterable[CaseRun]) -> Runs:
    """Return the runs of each case, by its id."""
    found: dict[str, list[CaseRun]] = {}
    for run in runs:
        found.setdefault(run.case.id, []).append(run)
    return found


def parsed(reply: str, output: Any) -> str:
    """Return the output in a reply as text, "" where the reply shows it as it is."""
    if output is None or output == reply.strip():
        return ""
    try:
        return "" if json.loads(reply) == output else to_text(output)
    except ValueError:
        return to_text(output)


def rounded(score: float | None) -> float | None:
    """Return a score with what shows it as others do: the page rounds it to three digits."""
    return None if score is None else round(score, 6)
