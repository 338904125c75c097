"""Build the lock that is committed with a study's prompts from what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pytest_mipro.optimizer.proposing.learning import Lesson
from pytest_mipro.optimizer.proposing.proposal_plan import ProposalPlan
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.lock.lock_schema import Lock, LockedCase, LockedLesson, LockedModule
from pytest_mipro.runtime.calls.context import ModuleCall
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import committed_prompt
from pytest_mipro.runtime.signature.signature import Signature

_MOST_LESSONS = 100


def lock_of(study: Study, result: StudyResult, path: Path, seed: int, before: Lock | None) -> Lock:
    """Return the lock at `path` of a study with an accepted finalist; `before` is the previous one.

    Scores and modules are those of the final pass, which measures as the gate does.
    """
    if result.final is None:
        raise ValueError("only a finalist measured on all cases can be locked")
    prompts = {**result.committed, **result.prompts}
    scores = result.final.scores()
    skipped = frozenset(result.final.skipped)
    earlier = before.lessons if before else ()
    calls = (call for run in result.final.runs for call in run.calls)
    return Lock(
        salt=study.salt,
        seed=seed,
        logical_calls=result.calls,
        holdout_uses=result.holdout_uses,
        confirmed=result.split.confirmed,
        demo_rows=tuple({demo.case for prompt in prompts.values() for demo in prompt.demos}),
        lessons=(*earlier, *map(_locked_lesson, result.lessons))[-_MOST_LESSONS:],
        modules=locked_modules(calls, prompts, path.parent),
        cases=tuple(
            LockedCase(
                case.id,
                case.test,
                case.row,
                columns_digest(case.columns),
                None if case.id in skipped else scores.get(case.id),
            )
            for case in study.cases
        ),
    )


def _locked_lesson(lesson: Lesson) -> LockedLesson:
    return LockedLesson(**asdict(lesson.plan), lift=round(lesson.lift, 6), rows=lesson.rows)


def lessons_of(lock: Lock | None) -> tuple[Lesson, ...]:
    """Return the proposal lessons of earlier runs, oldest first."""
    lessons = lock.lessons if lock else ()
    names = [item.name for item in fields(ProposalPlan)]
    return tuple(
        Lesson(ProposalPlan(**{name: getattr(item, name) for name in names}), item.lift, item.rows)
        for item in lessons
    )


def locked_modules(
    calls: Iterable[ModuleCall], prompts: Mapping[Path, Prompt], folder: Path
) -> tuple[LockedModule, ...]:
    """Return an entry for each module, model and parameters of the calls, in order of appearance.

    `prompts` are the prompts in force by path, with the committed ones as default; paths in the
    entries are relative to `folder`.
    """
    found: dict[tuple[str, str, str], ModuleCall] = {}
    for call in calls:
        found.setdefault(call_key(call), call)
    return tuple(locked_module(call, prompts, folder) for call in found.values())


def call_key(call: ModuleCall) -> tuple[str, str, str]:
    """Return the key of a lock's entry: prompt path, model and parameters."""
    parameters = json.dumps(dict(call.parameters), sort_keys=True) if call.parameters else ""
    return str(call.signature.prompt_path), call.model, parameters


def locked_module(call: ModuleCall, prompts: Mapping[Path, Prompt], folder: Path) -> LockedModule:
    """Return the lock's entry for a call's module; see `locked_modules`."""
    signature = call.signature
    prompt = prompts.get(signature.prompt_path) or committed_prompt(signature)
    return LockedModule(
        name=signature.name,
        prompt_path=relative_path(signature.prompt_path, folder),
        prompt=prompt.digest(),
        docstring=docstring_digest(signature),
        signature=signature.digest(),
        model=call.model,
        parameters=dict(call.parameters),
        frozen=not signature.optimize,
    )


def docstring_digest(signature: Signature) -> str:
    """Return the digest of the docstring as a prompt; "" under `python -OO`, which drops it."""
    return Prompt(signature.instruction).digest() if signature.instruction else ""


def columns_digest(columns: Mapping[str, Any]) -> str:
    """Return 16 hex digits that change when a value of a case's row changes."""
    text = json.dumps(dict(columns), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
