"""Daemon threads behind futures: order, bounds, shut-down, and an exit that waits for nobody."""

import subprocess
import sys
import threading
import time

import pytest

from pytest_mipro.optimizer.measuring.pool import DaemonPool


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
        "from pytest_mipro.optimizer.measuring.pool import DaemonPool\n"
        "pool, begun = DaemonPool(2, 't'), threading.Event()\n"
        "def hang():\n"
        "    begun.set()\n"
        "    threading.Event().wait(60)\n"
        "pool.submit(hang)\n"
        "assert begun.wait(10)\n"
        "pool.shutdown()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
