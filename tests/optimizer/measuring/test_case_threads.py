"""Cases in daemon threads: order, bounds, shut-down, time limits, and an exit that never waits."""

import subprocess
import sys
import threading
import time

import pytest
from optimizer_world import Row, make_rows, make_study, note
from world_model import WorldClient

from pytest_mipro.errors import CaseTimeoutError
from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.case_threads import DaemonPool, run_within
from pytest_mipro.optimizer.measuring.evaluate import Evaluator
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Outcome


def test_calls_return_and_raise_through_their_futures() -> None:
    pool = DaemonPool(3, "t")
    futures = [pool.submit(divmod, 17, number) for number in (5, 0, 3)]
    assert futures[0].result(10) == (3, 2)
    assert futures[2].result(10) == (5, 2)
    with pytest.raises(ZeroDivisionError):
        futures[1].result(10)
    pool.shutdown()
    assert pool.join(time.monotonic() + 10)


def test_one_thread_runs_calls_in_the_order_of_submission() -> None:
    pool, order = DaemonPool(1, "t"), list[int]()
    for future in [pool.submit(order.append, number) for number in range(50)]:
        future.result(10)
    assert order == list(range(50))
    pool.shutdown()


def test_size_calls_run_at_once_and_no_more() -> None:
    """Four meet at the barrier, which three could not pass; a fifth has no thread of its own."""
    pool, names, meet = DaemonPool(4, "case"), set[str](), threading.Barrier(4)

    def call() -> None:
        names.add(threading.current_thread().name)
        meet.wait(10)

    for future in [pool.submit(call) for _ in range(16)]:
        future.result(10)
    assert names == {"case-0", "case-1", "case-2", "case-3"}
    pool.shutdown()


def test_shutdown_cancels_what_has_not_begun_and_lets_the_rest_end() -> None:
    pool, begun, release = DaemonPool(1, "t"), threading.Event(), threading.Event()

    def call() -> str:
        begun.set()
        release.wait(10)
        return "done"

    running, *waiting = [pool.submit(call) for _ in range(3)]
    assert begun.wait(10)
    pool.shutdown()
    assert [future.cancelled() for future in waiting] == [True, True]
    assert not pool.join(time.monotonic() + 0.05)
    release.set()
    assert pool.join(time.monotonic() + 10)
    assert running.result(0) == "done"
    pool.shutdown()  # again: nothing happens


def test_a_call_that_hangs_does_not_hold_the_process() -> None:
    code = (
        "import threading\n"
        "from pytest_mipro.optimizer.measuring.case_threads import DaemonPool\n"
        "pool, begun = DaemonPool(2, 't'), threading.Event()\n"
        "def hang():\n"
        "    begun.set()\n"
        "    threading.Event().wait(60)\n"
        "pool.submit(hang)\n"
        "assert begun.wait(10)\n"
        "pool.shutdown()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_what_ends_in_time_returns_and_raises() -> None:
    assert run_within(None, lambda: 3) == run_within(30, lambda: 3) == 3
    with pytest.raises(KeyError):
        run_within(30, lambda: {}["x"])
    with pytest.raises(TimeoutError, match="the case's own"):
        run_within(30, own_timeout)


def own_timeout() -> None:
    raise TimeoutError("the case's own")


def test_what_does_not_is_left_behind() -> None:
    release = threading.Event()
    with pytest.raises(CaseTimeoutError, match=r"longer than the 0\.01 s that it may"):
        run_within(0.01, lambda: release.wait(60))
    release.set()


def test_a_hanging_case_scores_zero_and_its_later_calls_are_refused() -> None:
    release, refused = threading.Event(), threading.Event()

    def hanging(row: Row) -> Outcome:
        note(row.text)
        if row.id == "r001":
            release.wait(60)
            try:
                note("[r002] another red one")
            except CaseTimeoutError:
                refused.set()
        return Outcome(1.0)

    study, client = make_study(make_rows(3, 0, 0), tests={"test_hang": hanging}), WorldClient()
    evaluator = Evaluator(study, client, Accounting(), concurrency=2, case_timeout=0.5)
    part = Ledger(Limits()).part("trial", Amount(9), stage="search")
    assert part is not None
    try:
        evaluation = evaluator.start({}, study.cases, part).result()
        asked = len(client.requests)
        release.set()
        assert refused.wait(30)
    finally:
        evaluator.close()
    assert evaluation.scores() == {
        "test_hang[r000]": 1.0,
        "test_hang[r001]": 0.0,
        "test_hang[r002]": 1.0,
    }
    assert "took longer than the 0.5 s" in evaluation.runs[1].outcome.feedback
    assert len(client.requests) == asked == 3
