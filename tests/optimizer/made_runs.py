"""Runs of cases and what is known of programs, as tests make them by hand: no model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_mipro.optimizer.rounds.search_state import SearchState, baseline_record
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.search.assessments import Assessment
from pytest_mipro.optimizer.search.candidates import Candidates, committed_candidates, extended
from pytest_mipro.optimizer.study.case import Case, CaseCost, CaseRun, Outcome
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.optimizer.search.space import Assignment


def call(
    module: Any, value: str, output: Any, error: str = "", reasoning: str | None = None
) -> Any:
    return ModuleCall(
        signature=module.signature,
        model="fake/task",
        parameters={},
        inputs={module.signature.inputs[0]: value},
        output=output,
        reasoning=reasoning,
        text=str(output),
        usage=Usage(),
        cost=0.0,
        latency=0.0,
        cached=False,
        requests=1,
        error=error,
    )


def run(
    row: str,
    score: float | None,
    *calls: ModuleCall,
    test: str = "test",
    demo: bool = True,
    sample: int = 0,
    columns: dict[str, Any] | None = None,
) -> CaseRun:
    made = lambda: Outcome(score)  # noqa: E731
    case = Case(f"{test}[{row}]", row, test, made, columns=columns or {}, demo=demo)
    return CaseRun(case, sample, Outcome(score), calls)


def assessed(
    assignment: Assignment,
    estimate: float,
    *,
    number: int = 0,
    rows: int = 50,
    scores: Mapping[str, float] | None = None,
    price: CaseCost | None = None,
    full: bool = False,
    lift_sd: float | None = None,
) -> Assessment:
    """Return an assessment that rests on so many rows."""
    price = price or CaseCost(100.0, None)
    known = scores or {}
    return Assessment(assignment, estimate, rows, number, known, price, full=full, lift_sd=lift_sd)


BASE, KEEPS, RULES, BOTH = (0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0), (1, 0, 1, 0)


def searched(
    run: StudyRun, baseline: Baseline, *tried: tuple[Assignment, dict[str, float]], number: int = 1
) -> SearchState:
    """Return the state, in round `number`, of a search that measured these assignments fully."""
    committed = committed_candidates(baseline.signatures, baseline.committed)
    better = (["Note the subject; keep the word."], ["sea is blue, sky is blue, lime is green"])
    modules = tuple(
        extended(module, texts, ()) for module, texts in zip(committed.modules, better, strict=True)
    )
    candidates = Candidates(modules)
    record = baseline_record(candidates, baseline)
    scores = record.best.scores
    for place, (assignment, changes) in enumerate(tried):
        mine = {**scores, **changes}
        mean = sum(mine.values()) / len(mine)
        record = record.with_assessment(
            assessed(assignment, mean, number=place, rows=len(mine), scores=mine, full=True)
        )
    return SearchState(run, baseline, candidates, record, round=number)


def cases(*numbers: int) -> list[str]:
    return [f"test_colour[r{number:03}]" for number in numbers]


WINS = [
    (KEEPS, dict.fromkeys(cases(15, 17, 21), 1.0)),
    (RULES, dict.fromkeys(cases(14, 20, 22, 23), 1.0)),
]


def knowing(state: SearchState, known: Iterable[Assessment]) -> SearchState:
    """Return the state with these assessments beside its own."""
    record = state.record
    for item in known:
        record = record.with_assessment(item)
    return replace(state, record=record)
