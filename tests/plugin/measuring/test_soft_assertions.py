"""Soft assertions of pytest-check and pytest-assume count as `assert`, in the call that made them.

The plugins are stood in for by what is read of them: the modules, with their lists of failures.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from threading import Barrier
from traceback import format_exception_only
from types import ModuleType, SimpleNamespace

import pytest

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.measuring.measure import measure, observed

CHECK_LOG = "pytest_check.check_log"


class State:
    """The failures of one test, as pytest-check keeps them."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.reason: str | None = None
        self.max_fail: int | None = None


def check_log(state: ContextVar[State]) -> ModuleType:
    log = ModuleType(CHECK_LOG)
    log._state_var, log._CheckState = state, State
    log.get_failures = lambda: list(state.get().failures)
    log.get_xfailed_failure = lambda: state.get().reason
    log.clear_failures = lambda: state.get().__init__()
    return log


@pytest.fixture
def state(monkeypatch):
    state = ContextVar("state")
    state.set(State())
    monkeypatch.setitem(sys.modules, CHECK_LOG, check_log(state))
    return state


@pytest.fixture
def assumed(monkeypatch):
    plugin = ModuleType("pytest_assume.plugin")
    plugin._FAILED_ASSUMPTIONS = []
    monkeypatch.setitem(sys.modules, "pytest_assume.plugin", plugin)
    return plugin._FAILED_ASSUMPTIONS


def failing(state: ContextVar[State], text: str = "check 1 == 2"):
    def test() -> float:
        state.get().failures.append(f"\x1b[31mFAILURE: \x1b[0m{text}\ntest_it.py:3 in test()")
        return 0.9

    return test


def test_a_failed_check_scores_nothing_and_is_forgotten(state):
    assert measure(failing(state)) == Outcome(0.0, "check 1 == 2")
    assert state.get().failures == []
    assert measure(lambda: 0.9) == Outcome(0.9, returned=True)


def test_a_failed_check_of_a_coroutine_counts(state):
    async def test() -> None:
        await asyncio.sleep(0)
        failing(state)()

    assert measure(test) == Outcome(0.0, "check 1 == 2")


def test_concurrent_calls_have_their_own_failures(state):
    barrier = Barrier(2, timeout=10)

    def run(fails: bool) -> Outcome:
        def test() -> None:
            barrier.wait()
            if fails:
                failing(state)()
            barrier.wait()

        return measure(test)

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(copy_context().run, run, fails) for fails in (True, False)]
    assert [each.result().score for each in found] == [0, 1]


def test_an_exception_says_more_than_a_failed_check(state):
    def test() -> None:
        failing(state)()
        raise KeyError("gone")

    assert measure(test).failure == "KeyError: 'gone'"


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (
            "None\nt.py:3 in test() -> with check.raises(KeyError):\n",
            "with check.raises(KeyError):",
        ),
        ("None", "a check failed"),
    ],
)
def test_a_check_that_nothing_was_raised_to_is_named_by_its_line(state, kept, said):
    def test() -> None:
        state.get().failures.append(f"FAILURE: {kept}")

    assert measure(test) == Outcome(0.0, said)


def test_what_a_conftest_set_up_holds_for_each_call(state):
    state.get().max_fail = 3
    assert measure(lambda: state.get().max_fail == 3) == Outcome(1.0, returned=True)


def test_a_stop_at_failed_checks_says_which(state):
    """As by `-x`, and by pytest-check's `--check-max-fail`."""

    def test() -> None:
        failing(state)()
        exec("assert False, 'Stopping on first failure'", vars(sys.modules[CHECK_LOG]))

    assert measure(test) == Outcome(0.0, "check 1 == 2")


def test_an_assertion_says_more_than_a_failed_check(state):
    def test() -> None:
        failing(state)()
        assert len("three") == 4, "three is not four"

    assert "three is not four" in measure(test).feedback


def test_a_skip_hides_no_failed_check(state):
    def test() -> None:
        failing(state)()
        pytest.skip("enough")

    assert measure(test) == Outcome(0.0, "check 1 == 2")


def test_an_expected_failure_has_no_score(state):
    def test() -> None:
        failing(state)()
        state.get().reason = "known"

    assert measure(test) == Outcome(None, skipped="xfail: known")


def test_a_list_of_all_threads_serves_calls_one_by_one_alone(state):
    log = sys.modules[CHECK_LOG]
    del log._state_var
    with observed(None) as seen:
        seen.value = failing(state)()
    assert seen.outcome == Outcome(0.0, "check 1 == 2")
    assert "use assert, or upgrade it" in measure(failing(state)).error


def test_a_failed_assumption_scores_nothing_where_calls_run_one_by_one(assumed):
    entry = "test_it.py:3: AssumptionFailure\n>>\tassume(1 == 2)\nAssertionError: \n\n"
    with observed(None) as seen:
        assumed.append(SimpleNamespace(entry=entry))
    assert seen.outcome == Outcome(0.0, "assume(1 == 2)\nAssertionError:")
    assert assumed == []


def test_a_failed_assumption_among_concurrent_calls_is_an_error(assumed):
    outcome = measure(lambda: assumed.append(SimpleNamespace(entry="")))
    assert outcome.error.startswith("pytest-assume keeps the failures of all threads in one list")


def test_a_failed_check_is_named_as_what_pytest_fail_raises(state):
    with observed(None) as seen:
        seen.value = failing(state)()
    assert format_exception_only(seen.error)[0].startswith("Failed: FAILURE: check 1 == 2")
