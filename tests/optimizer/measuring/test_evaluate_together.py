"""Cases that run at once, and those that run one at a time."""

import threading
import time

import pytest
from measured_world import ROWS, evaluator, part_of
from optimizer_world import Row, make_study

from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.study.amount import Limits
from pytest_mipro.optimizer.study.case import Outcome


class Crowd:
    """How many cases were inside the test at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = self.most = 0

    def test(self, row: Row) -> Outcome:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.004)
        with self._lock:
            self.inside -= 1
        return Outcome(1.0)


@pytest.mark.parametrize("concurrent", [True, False])
def test_cases_of_an_exclusive_test_run_one_at_a_time_also_across_trials(concurrent: bool) -> None:
    alone, free = Crowd(), Crowd()
    study = make_study(
        ROWS,
        {"test_alone": alone.test, "test_free": free.test},
        {"test_alone": {"concurrent": concurrent}},
    )
    with evaluator(study, concurrency=8) as made:
        ledger = Ledger(Limits())
        pending = [made.start({}, study.cases, part_of(ledger, 9)) for n in range(3)]
        for one in pending:
            assert len(one.result().runs) == 12
    assert free.most > 1
    assert (alone.most == 1) is not concurrent


def test_exclusive_tests_never_run_beside_each_other() -> None:
    shared = Crowd()
    alone = {"concurrent": False}
    study = make_study(
        ROWS, {"test_a": shared.test, "test_b": shared.test}, {"test_a": alone, "test_b": alone}
    )
    with evaluator(study, concurrency=8) as made:
        made.start({}, study.cases, part_of(Ledger(Limits()), 9)).result()
    assert shared.most == 1


def test_concurrency_bounds_the_cases_that_run_at_once() -> None:
    crowd = Crowd()
    study = make_study(ROWS, {"test": crowd.test})
    with evaluator(study, concurrency=2) as made:
        part = part_of(Ledger(Limits()), 9)
        made.start({}, study.cases, part).result()
    assert crowd.most == 3  # two calls, and a case that parses meanwhile


def test_progress_tells_every_number_once() -> None:
    study = make_study(ROWS, {"test": lambda row: Outcome(1.0)})
    told: list[int] = []
    with evaluator(study, concurrency=6) as made:
        pending = made.start({}, study.cases, part_of(Ledger(Limits()), 9))
        for future in pending.futures:
            future.result()  # all ended before anybody looks
        pending.result(told.append)
    assert told == [1, 2, 3, 4, 5, 6]


def test_progress_is_told_while_cases_still_run() -> None:
    """The last case ends only when the others were told: progress must not wait for all."""
    seen_five = threading.Event()
    last = ROWS[0].id

    def test(row: Row) -> Outcome:
        return Outcome(float(row.id != last or seen_five.wait(10)))

    def tell(done: int) -> None:
        told.append(done)
        if done == 5:
            seen_five.set()

    told: list[int] = []
    study = make_study(ROWS, {"test": test})
    with evaluator(study, concurrency=6) as made:
        pending = made.start({}, study.cases, part_of(Ledger(Limits()), 9))
        assert sum(pending.result(tell).scores().values()) == 6
    assert told == [1, 2, 3, 4, 5, 6]


def test_closing_waits_for_cases_under_way_but_not_for_a_stuck_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pytest_mipro.optimizer.measuring.evaluate._PATIENCE", 0.3)
    begun, release, ended = threading.Barrier(4), threading.Event(), threading.Event()

    def test(row: Row) -> Outcome:
        begun.wait(10)
        if row.id == ROWS[0].id:
            release.wait(30)
        else:
            time.sleep(0.05)
            ended.set()
        return Outcome(1.0)

    study = make_study(ROWS, {"test": test})
    with evaluator(study, concurrency=2) as made:
        pending = made.start({}, study.cases, part_of(Ledger(Limits()), 9))
        begun.wait(10)
        start = time.monotonic()
        made.close(wait=True)
        waited = time.monotonic() - start
    release.set()
    assert ended.is_set()
    assert 0.3 <= waited < 5
    assert [future.cancelled() for future in pending.futures] == [False] * 3 + [True] * 3
