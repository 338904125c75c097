"""The runs that demos and proposals are drawn from: parents on training rows, further attempts."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.search.pareto import drawn_parents
from pytest_mipro.optimizer.study.case import cases_of
from pytest_mipro.optimizer.study.split import minibatch
from pytest_mipro.runtime.calls.context import Teacher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.measuring.evaluate import Pending
    from pytest_mipro.optimizer.rounds.search_state import SearchState
    from pytest_mipro.optimizer.run.baseline import Ground
    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.optimizer.study.case import Case
    from pytest_mipro.optimizer.study.runs import CaseRun
    from pytest_mipro.runtime.prompts.prompt import Prompt


@dataclass(frozen=True)
class Parent:
    """A program that new candidates come from, and its runs on training rows."""

    assignment: Assignment
    runs: Sequence[CaseRun]


# Attempts take sample indices that no measurement uses: a hot reply must not be a score.
_FIRST_ATTEMPT = 1_000


def parents_of(run: StudyRun, searched: SearchState, number: int) -> list[Assignment]:
    """Return the programs that a round's candidates come from, the incumbent first."""
    if number == 0 or not run.settings.has("parents"):
        return [searched.best]
    rng = random.Random(f"{run.settings.seed}/{number}/parents")  # noqa: S311 - no secret
    return drawn_parents(searched.record.known, searched.best, run.settings.parents, rng)


def training_runs(
    run: StudyRun,
    ground: Ground,
    searched: SearchState,
    programs: Sequence[Assignment],
    number: int,
) -> list[Parent] | None:
    """Return the programs with their runs on training rows; None: the budget holds not even one.

    The committed prompts were run on all of them. Later parents share a sample of the rows, another
    one each round.
    """
    rows = _sample(run, ground, run.settings.training_rows // len(programs), number)
    started = []
    for program in programs:
        pending = None
        if program != searched.candidates.committed:
            reservation = run.budget.reserve(
                ground.baseline.worst(rows, searched.candidates.program(program)),
                "programs on training rows",
                stage="bootstrap",
                keep=ground.full,
            )
            if reservation is None:
                break
            pending = run.evaluator.start(
                searched.candidates.program(program),
                cases_of(ground.study, rows),
                reservation,
                replace(ground.rules, repeats=False),
            )
        started.append((program, pending))
    known = _committed_runs(ground)
    parents = [Parent(item, end.result().runs if end else known) for item, end in started]
    return parents or None


def start_attempts(
    run: StudyRun,
    ground: Ground,
    program: Mapping[Path, Prompt],
    failing: Sequence[Case],
    number: int,
) -> Pending | None:
    """Begin another run of failing cases: at temperature 1, by the teacher if there is one.

    None where no case fails, or the budget does not hold them.
    """
    cases = list({case.id: case for case in failing}.values())[: run.settings.attempts]
    rows = sorted({case.row for case in cases})
    if not rows:
        return None
    teacher = run.settings.teacher_model
    reservation = run.budget.reserve(
        ground.baseline.worst(rows, program, teacher),
        "further attempts",
        stage="bootstrap",
        keep=ground.full,
    )
    if reservation is None:
        return None
    return run.evaluator.start(
        program,
        cases,
        reservation,
        replace(
            ground.rules,
            repeats=False,
            first_sample=_FIRST_ATTEMPT + number,
            teacher=Teacher(teacher),
        ),
    )


def _sample(run: StudyRun, ground: Ground, count: int, number: int) -> tuple[str, ...]:
    tests: dict[str, set[str]] = {}
    for case in cases_of(ground.study, ground.split.train):
        tests.setdefault(case.row, set()).add(case.test)
    return minibatch(tests, count, run.settings.seed, draw=-number)


def _committed_runs(ground: Ground) -> list[CaseRun]:
    train = frozenset(ground.split.train)
    return [item for item in ground.baseline.evaluation.runs if item.case.row in train]
