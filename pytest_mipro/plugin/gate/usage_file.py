"""What the cases of a study took in the last gate run, kept for the forecast of a dry run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from pytest_mipro.errors import CacheError
from pytest_mipro.optimizer.budget.prompt_parts import PromptParts
from pytest_mipro.plugin.config.cache_folder import ini_folder, mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.config.study_files import ensure_study_folder, study_file
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.report_data import (
    CallUsage,
    CaseResult,
    ModuleUsage,
    by_module,
)
from pytest_mipro.plugin.replies.journal import GATE, Paid, note_gate, today
from pytest_mipro.runtime.calls.own_client import OWN_CLIENT
from pytest_mipro.runtime.settings import current_settings
from pytest_mipro.runtime.text.files import atomic_write, read_text
from pytest_mipro.runtime.text.strict_json import load_json


@dataclass(frozen=True)
class GateUsage:
    """What one pass of a study's `rows` took: by module, calls that cases of a row share once.

    Of these, `shared` are those of variants that followed a plain prompt on rows where it was asked
    for, too. `lending` counts the rows that give demos: whose cases all passed, or are labelled
    (None: not known). `cases` and `samples` count what ran; `model` was the one of modules that
    name none. Where other models are asked now, `timed` names those whose latencies these are.
    """

    rows: int
    cases: int
    samples: int
    model: str | None
    modules: tuple[ModuleUsage, ...]
    timed: tuple[str, ...] = ()
    shared: tuple[ModuleUsage, ...] = ()
    lending: int | None = None

    @property
    def calls(self) -> int:
        """How many distinct calls there were."""
        return sum(part.usage.calls for part in self.modules) - sum(
            part.usage.calls for part in self.shared
        )


def default_model(config: pytest.Config) -> str | None:
    """Return the model of modules that name none; see `resolve_model`."""
    given = current_settings().model or options_of(config).model
    return given or os.environ.get("MIPRO_MODEL") or None


def keep_usage(config: pytest.Config, verdicts: Iterable[Verdict]) -> None:
    """Write what each study took, where `.mipro/` is there; what can't be written is left out.

    What ran in part, because of errors too, tells nothing of what the whole takes.
    """
    for lock, group in groupby(verdicts, key=lambda verdict: verdict.plan.lock):
        mine = list(group)
        results = [result for verdict in mine for result in verdict.results]
        folder = mipro_folder(config)
        whole = not any(each.plan.partial or each.counts.get("error") for each in mine)
        told = any(each.usages or (each.set_up and each.score is not None) for each in results)
        if not whole or not told or not folder.is_dir():
            continue
        usage = _usage(results, _lending_rows(mine), default_model(config))
        path = study_file(folder, "usage", relative_path(Path(lock), ini_folder(config)))
        with suppress(OSError, CacheError):
            ensure_study_folder(path)
            atomic_write(path, json.dumps(asdict(usage)) + "\n")


def keep_paid(config: pytest.Config, usages: Mapping[str, Iterable[ModuleUsage]]) -> None:
    """Bill the live calls of each study, given by its lock, where `.mipro/` is there.

    What can't be written is left out.
    """
    folder = mipro_folder(config)
    for lock, parts in usages.items():
        name = relative_path(Path(lock), ini_folder(config))
        took = [(part.model, amount) for part in parts for amount in part.billed]
        if took and folder.is_dir():
            journal = study_file(folder, "bills", name)
            with suppress(OSError, CacheError):
                ensure_study_folder(journal)
                note_gate(journal, name, [Paid(today(), GATE, *each) for each in took])


def _lending_rows(verdicts: Iterable[Verdict]) -> int:
    lends: dict[str, bool] = {}
    for verdict in verdicts:
        for result in verdict.results:
            well = result.status(verdict.plan.pass_score) == "passed"
            known = lends.get(result.row, True)
            lends[result.row] = known and (well or bool(verdict.plan.labels))
    return sum(lends.values())


def _usage(results: Sequence[CaseResult], lending: int, model: str | None) -> GateUsage:
    """Return the usage: equal calls of a row's cases are made once."""
    made = _made_by_row(results)
    asked, shared = set[tuple[str, str, str]](), []
    for (row, module, named), part in sorted(made.items(), key=lambda item: item[0]):
        prompt = (row, part.follows or module, named)
        if prompt in asked:
            shared.append(part)
        asked.add(prompt)
    return GateUsage(
        rows=len({result.row for result in results}),
        cases=len(results),
        samples=sum(len(result.samples) or 1 for result in results),
        model=model,
        modules=by_module(made.values()),
        shared=by_module(shared),
        lending=lending,
    )


def _made_by_row(results: Sequence[CaseResult]) -> dict[tuple[str, str, str], ModuleUsage]:
    """Return what was made of a row, a module and a model, of cases whose calls are all known once.

    Of one that shares but some of its calls with others, all count.
    """
    made: dict[tuple[str, str, str], ModuleUsage] = {}
    parts = [(result.row, part) for result in results for part in result.usages]
    for row, part in sorted(parts, key=lambda item: -item[1].usage.calls):
        key = (row, part.module, part.model)
        known = made.get(key)
        if known is None:
            made[key] = part
        elif not {*part.asked} <= {*known.asked}:
            (made[key],) = by_module([known, part])
    return {key: replace(part, asked=()) for key, part in made.items()}


def read_usage(path: Path) -> GateUsage | None:
    """Return what the last gate run took, None where that is not known."""
    try:
        data = load_json(read_text(path))
        modules, shared = data.pop("modules"), data.pop("shared", [])
        usage = GateUsage(**data, modules=_modules(modules), shared=_modules(shared))
        text = json.dumps(asdict(usage))
        usage = TypeAdapter(GateUsage).validate_json(text, strict=True)  # each value is of its type
        return usage if min(usage.rows, usage.cases, usage.samples) > 0 else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _parts(told: Mapping[str, int]) -> PromptParts:
    return PromptParts(**{"lent": told["demo"], **told})  # gates of older releases kept no "lent"


def _modules(entries: Iterable[Mapping[str, Any]]) -> tuple[ModuleUsage, ...]:
    return tuple(
        ModuleUsage(
            each["module"],
            each["model"],
            CallUsage(**each["usage"]),
            _parts(each["parts"]),
            float(each.get("seconds", 0.0)),  # gates of older releases kept none
            untimed=int(each.get("untimed", 0)),
            frozen=bool(each.get("frozen", each["module"] == OWN_CLIENT.label)),
        )
        for each in entries
    )
