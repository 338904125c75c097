"""The tests' small world, measured: an evaluator, its parts of a budget, and outcomes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from optimizer_world import Row, make_rows, make_study, metric_colour, sort
from world_model import WorldClient, answer, own_row

from pytest_mipro.errors import EndpointError
from pytest_mipro.optimizer.budget.ledger import Ledger, Part
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.evaluate import Evaluator, MeasuringRules
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Evaluation, Outcome, Study
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.prompts.prompt import Prompt

ROWS = make_rows(train=6, validation=0, holdout=0)
SPOILT = {sort.signature.prompt_path: Prompt("spoil")}


def part_of(ledger: Ledger, calls: int) -> Part:
    part = ledger.part("trial", Amount(calls), stage="search")
    assert part is not None
    return part


def left(ledger: Ledger) -> int:
    return ledger.left().calls


@contextmanager
def evaluator(
    study: Study, client: WorldClient | None = None, concurrency: int = 4
) -> Iterator[Evaluator]:
    made = Evaluator(study, client or WorldClient(), Accounting(), concurrency=concurrency)
    try:
        yield made
    finally:
        made.close()


def evaluate(
    test: Callable[[Row], Outcome] = metric_colour,
    client: WorldClient | None = None,
    prompts: Any = None,
    *,
    calls: int = 1000,
    repeats: int = 1,
    rules: Mapping[str, Any] = MappingProxyType({}),
    **more_rules: Any,
) -> Evaluation:
    """Measure a test on six rows; the fields of the rules may be given one by one."""
    study = make_study(ROWS, {"test": test}, {"test": {"repeats": repeats}})
    part = part_of(Ledger(Limits(calls)), calls)
    with evaluator(study, client) as made:
        made_rules = MeasuringRules(**rules, **more_rules)
        return made.start(prompts or {}, study.cases, part, made_rules).result()


def outcomes(evaluation: Evaluation) -> dict[str, Outcome]:
    return {run.case.row: run.outcome for run in evaluation.runs}


def failing_at(row: str) -> WorldClient:
    def reply(request: Request) -> str:
        if own_row(request) == row:
            raise EndpointError("fake/task: connection refused")
        return answer(request)

    return WorldClient(reply)
