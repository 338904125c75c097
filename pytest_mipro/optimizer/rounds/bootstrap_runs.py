"""Run programs on training rows: the parents of new candidates, and retries of failing cases."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_mipro.optimizer.measuring.evaluate import Pending
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.search.pareto import drawn_parents
from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.case import Case, cases_of
from pytest_mipro.optimizer.study.runs import CaseRun
from pytest_mipro.runtime.calls.context import Teacher
from pytest_mipro.runtime.prompts.prompt import Prompt

# Attempts take sample indices that no measurement uses: a reply at temperature 1 is no score.
_FIRST_ATTEMPT = 1_000


@dataclass(frozen=True)
class Parent:
    """A program that new candidates come from, and its runs on training rows."""

    assignment: Assignment
    runs: Sequence[CaseRun]


def parents_of(state: SearchState) -> list[Assignment]:
    """Return the programs that the round's candidates come from, the incumbent first."""
    settings = state.run.settings
    if state.round == 0 or not settings.has("parents"):
        return [state.best]
    rng = random.Random(f"{settings.seed}/{state.round}/parents")  # noqa: S311 - no secret
    return drawn_parents(state.record.known, state.best, settings.parents, rng)


def training_runs(state: SearchState, programs: Sequence[Assignment]) -> list[Parent] | None:
    """Return the programs with their runs on training rows; None if not even one fits the budget.

    The committed prompts have run on all of these rows. Other parents share a sample of the rows, a
    new one each round.
    """
    run, baseline = state.run, state.baseline
    train = cases_of(baseline.study, baseline.split.train)
    size = run.settings.training_rows // len(programs)
    rows = state.draw_rows(train, size, draw=-state.round)
    started = []
    for assignment in programs:
        pending = None
        if assignment != state.candidates.committed:
            program = state.candidates.program(assignment)
            reservation = run.budget.reserve(
                baseline.worst(rows, program),
                "programs on training rows",
                stage="bootstrap",
                keep=baseline.worst_full,
            )
            if reservation is None:
                break
            cases = cases_of(baseline.study, rows)
            rules = replace(baseline.rules, repeats=False)
            pending = run.evaluator.start(program, cases, reservation, rules)
        started.append((assignment, pending))
    ids = {case.id for case in train}
    known = [item for item in baseline.evaluation.runs if item.case.id in ids]
    parents = [Parent(item, end.result().runs if end else known) for item, end in started]
    return parents or None


def start_attempts(
    state: SearchState, program: Mapping[Path, Prompt], failing: Sequence[Case]
) -> Pending | None:
    """Start another run of failing cases, at temperature 1 and by the teacher if there is one.

    None if no case fails or the budget does not hold the runs.
    """
    run, baseline = state.run, state.baseline
    cases = list({case.id: case for case in failing}.values())[: run.settings.attempts]
    rows = sorted({case.row for case in cases})
    if not rows:
        return None
    teacher = run.settings.teacher_model
    reservation = run.budget.reserve(
        baseline.worst(rows, program, teacher),
        "further attempts",
        stage="bootstrap",
        keep=baseline.worst_full,
    )
    if reservation is None:
        return None
    rules = replace(
        baseline.rules,
        repeats=False,
        first_sample=_FIRST_ATTEMPT + state.round,
        teacher=Teacher(teacher),
    )
    return run.evaluator.start(program, cases, reservation, rules)
