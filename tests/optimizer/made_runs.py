"""Runs of cases and what is known of programs, as tests make them by hand: no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mipro.optimizer.budget.price import Price
from pytest_mipro.optimizer.measuring.evaluate import CaseRun
from pytest_mipro.optimizer.search.record import Assessment
from pytest_mipro.optimizer.study.case import Case, Outcome
from pytest_mipro.runtime.calls.context import ModuleCall
from pytest_mipro.runtime.client.contract import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mipro.optimizer.search.searcher import Assignment


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
    price: Price | None = None,
    full: bool = False,
) -> Assessment:
    """Return an assessment whose leading estimate is the plain one."""
    price = price or Price(100.0, None)
    return Assessment(assignment, estimate, estimate, rows, number, scores or {}, price, full=full)
