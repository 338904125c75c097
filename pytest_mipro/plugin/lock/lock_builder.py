"""Build the lock that is committed with a study's prompts from what was measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from pytest_mipro.optimizer.proposing.proposal_plan import Lesson, ProposalPlan
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase, LockedLesson, LockedModule
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.prompts.prompt import Prompt

_MOST_LESSONS = 100


def lock_of(
    study: Study,
    result: StudyResult,
    path: Path,
    seed: int,
    before: Lock | None,
    fixture_calls: Iterable[ModuleCall] = (),
) -> Lock:
    """Return the lock at `path` of a study with an accepted finalist; `before` is the previous one.

    Scores and modules are those of the final pass, which measures as the gate does, with the
    modules that the cases' fixtures call.
    """
    decision = result.decision
    if result.final is None or decision is None:
        raise ValueError("only a finalist measured on all cases can be locked")
    prompts = {**result.committed, **result.prompts}
    scores = result.final.scores()
    skipped = frozenset(result.final.skipped)
    called: dict[tuple[str, str, str], ModuleCall] = {}
    in_cases = (call for run in result.final.runs for call in run.calls)
    for call in chain(in_cases, fixture_calls):
        if not call.own:
            called.setdefault(call_key(call), call)
    return Lock(
        seed=seed,
        logical_calls=result.calls,
        holdout_uses=result.holdout_uses,
        confirmed=decision.verdict == "accept",
        accepted_as=decision.verdict if decision.on_demand else "",
        holdout=result.split.digest(),
        demo_rows=tuple({demo.case for prompt in prompts.values() for demo in prompt.demos}),
        lessons=_with_lessons(before.lessons if before else (), result.lessons),
        modules=tuple(locked_module(call, prompts, path.parent) for call in called.values()),
        cases=tuple(
            LockedCase(
                case.id,
                case.test,
                case.row,
                case.digest,
                None if case.id in skipped else scores.get(case.id),
            )
            for case in study.cases
        ),
    )


def _with_lessons(
    before: tuple[LockedLesson, ...], lessons: Sequence[Lesson]
) -> tuple[LockedLesson, ...]:
    """Return all lessons, as many as a lock keeps. The same search again teaches nothing."""
    new = [
        LockedLesson(**asdict(each.plan), lift=round(each.lift, 6), rows=each.rows)
        for each in lessons
    ]
    return before if Counter(new) <= Counter(before) else (*before, *new)[-_MOST_LESSONS:]


def lessons_of(lock: Lock | None) -> tuple[Lesson, ...]:
    """Return the proposal lessons of earlier runs, oldest first."""
    found = []
    for locked in lock.lessons if lock else ():
        data = asdict(locked)
        lift, rows = data.pop("lift"), data.pop("rows")
        found.append(Lesson(ProposalPlan(**data), lift, rows))
    return tuple(found)


def call_key(call: ModuleCall) -> tuple[str, str, str]:
    """Return the key of a lock's entry: prompt path, model and parameters."""
    parameters = json.dumps(dict(call.parameters), sort_keys=True) if call.parameters else ""
    return str(call.signature.prompt_path), call.model, parameters


def locked_module(call: ModuleCall, prompts: Mapping[Path, Prompt], folder: Path) -> LockedModule:
    """Return the lock's entry for a call's module; its path is relative to `folder`.

    `prompts` are the prompts in force by path, with the committed one as default.
    """
    signature = call.signature
    prompt = prompts.get(signature.prompt_path) or committed_prompt(signature)
    docstring = signature.instruction  # "" under `python -OO`, which drops it
    return LockedModule(
        name=signature.label,
        prompt_path=relative_path(signature.prompt_path, folder),
        prompt=prompt.digest(),
        docstring=Prompt(docstring).digest() if docstring else "",
        signature=signature.digest(),
        model=call.model,
        parameters=dict(call.parameters),
        frozen=not signature.optimize,
    )
