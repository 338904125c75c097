"""Runs of cases as tests make them by hand: module calls, their scores, no model."""

from __future__ import annotations

from typing import Any

from pytest_mipro.optimizer.case import Case, Outcome
from pytest_mipro.optimizer.evaluate import CaseRun
from pytest_mipro.runtime.client import Usage
from pytest_mipro.runtime.context import ModuleCall


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
