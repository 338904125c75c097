"""Cases of the tests' small world, run once for the examples of requests."""

from collections.abc import Sequence

import pytest
from optimizer_world import make_rows, make_study
from world_model import WorldClient

from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.evaluate import Evaluator
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import CaseRun


@pytest.fixture(scope="module")
def runs() -> Sequence[CaseRun]:
    study = make_study(make_rows(8, 0, 0))
    made = Evaluator(study, WorldClient(), Accounting(), concurrency=4)
    part = Ledger(Limits()).part("baseline", Amount(99), stage="search")
    assert part is not None
    try:
        return made.start({}, study.cases, part).result().runs
    finally:
        made.close()
