"""What a call of a test comes to: a score, an error, a skip or a failure."""

from __future__ import annotations

import unittest
from decimal import Decimal
from fractions import Fraction

import pytest

import pytest_mipro
from pytest_mipro.errors import (
    ConfigurationError,
    EndpointError,
    OutputParseError,
    RefusalError,
)
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.measuring.feedback import canonical
from pytest_mipro.plugin.measuring.measure import case_status, mean_outcome, measure
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import ScriptedClient


def raising(error: BaseException):
    def test() -> None:
        raise error

    return test


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (None, Outcome(1.0)),
        (True, Outcome(1.0, returned=True)),
        (False, Outcome(0.0, returned=True)),
        (0.25, Outcome(0.25, returned=True)),
        (1, Outcome(1.0, returned=True)),
        (Decimal("0.25"), Outcome(0.25, returned=True)),
        (Fraction(1, 4), Outcome(0.25, returned=True)),
        (0.1 * 3 + 0.7 + 2e-16, Outcome(1.0, returned=True)),
        (1.0000000000000002, Outcome(1.0, returned=True)),
        (0.3 - 0.1 * 3, Outcome(0.0, returned=True)),
        (
            pytest_mipro.Score(0.5, "half", length=3),
            Outcome(0.5, "half", {"length": 3.0}, returned=True),
        ),
    ],
)
def test_a_returned_value_is_the_score(value, outcome):
    assert measure(lambda: value) == outcome


def test_a_scalar_of_numpy_is_a_number():
    numpy = pytest.importorskip("numpy")
    assert measure(lambda: numpy.float32(0.5)).score == 0.5
    assert measure(lambda: numpy.bool_(True)).score == 1.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            float("nan"),
            "the score nan is not in 0…1; say what a case scores where nothing can be computed",
        ),
        (float("inf"), "the score inf is not in 0…1"),
        (-0.1, "the score -0.1 is not in 0…1"),
        (1.1, "the score 1.1 is not in 0…1"),
        (1.00000001, "the score 1.00000001 is not in 0…1"),
        (10**400, "the score inf is not in 0…1"),
        ("0.5", "the test returned '0.5'"),
        ([1.0], "the test returned [1.0]"),
        (pytest_mipro.Score("high"), "Score.value is 'high'"),
        (pytest_mipro.Score(None), "Score.value is None"),
        (pytest_mipro.Score(1.0, length="long"), "the metric 'length' is not a finite number"),
        (
            pytest_mipro.Score(1.0, length=float("nan")),
            "the metric 'length' is not a finite number",
        ),
        (
            pytest_mipro.Score(1.0, length=-1e308),  # the mean of two would be none
            "the metric 'length' is not a finite number of at most 1e+300: -1e+308",
        ),
    ],
)
def test_what_is_no_score_is_an_error(value, text):
    outcome = measure(lambda: value)
    assert outcome.score is None
    assert outcome.error.startswith(text)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (AssertionError("no"), Outcome(0.0, "no")),
        (OutputParseError("not a number"), Outcome(0.0, "not a number")),
        (RefusalError("refused"), Outcome(0.0, "refused")),
        (EndpointError("down"), Outcome(None, error="down")),
        (ConfigurationError("no model"), Outcome(None, error="no model")),
        (ValueError("bad\nvalue"), Outcome(None, failure="ValueError: bad value")),
        (SystemExit(3), Outcome(None, failure="SystemExit: 3")),
        (ExceptionGroup("g", [AssertionError("in a task")]), Outcome(0.0, "in a task")),
        (
            ExceptionGroup("g", [AssertionError("a"), KeyError("b")]),
            Outcome(None, failure="ExceptionGroup: g (2 sub-exceptions)"),
        ),
    ],
)
def test_an_exception_is_a_zero_an_error_or_a_failure(error, outcome):
    assert measure(raising(error)) == outcome


def test_pytests_own_outcomes():
    assert measure(lambda: pytest.fail("no fact")) == Outcome(0.0, "no fact")
    assert measure(lambda: pytest.skip("not here")) == Outcome(None, skipped="not here")
    assert measure(raising(unittest.SkipTest("nor here"))) == Outcome(None, skipped="nor here")
    assert measure(lambda: pytest.xfail("known")) == Outcome(None, skipped="xfail: known")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), pytest.exit.Exception("stop")])
def test_ctrl_c_and_exit_stop(error):
    with pytest.raises(type(error)):
        measure(raising(error))


def test_a_coroutine_is_awaited():
    async def test() -> float:
        return 0.5

    assert measure(test).score == 0.5


def test_a_swallowed_error_of_the_world_is_an_error():
    trace = Trace()

    def swallowing() -> float:
        trace.remember(EndpointError("down"))
        return 1.0

    with use(CallContext(ScriptedClient([]), trace=trace)):
        assert measure(swallowing) == Outcome(None, error="down")


def test_the_mean_of_the_samples():
    samples = [Outcome(1.0), Outcome(0.0, "wrong"), Outcome(0.5, "so so")]
    assert mean_outcome(samples) == Outcome(0.5, "wrong")
    assert mean_outcome([*samples, Outcome(None, skipped="x")]).skipped == "x"
    broken = Outcome(None, error="down")
    assert mean_outcome([*samples, Outcome(None, skipped="x"), broken]) == broken


def test_a_mean_of_tenths_reaches_its_own_value():
    assert case_status(mean_outcome([Outcome(0.1)] * 3), 0.1) == "passed"


def test_half_a_character_in_feedback_can_be_encoded():
    assert canonical("half \ud83d") == "half \\ud83d"
    assert measure(raising(AssertionError("\udfff"))).feedback.encode() == b"\\udfff"


@pytest.mark.parametrize("kind", [Exception, AssertionError])
def test_an_error_without_a_text_is_measured(kind):
    class Mute(kind):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    outcome = measure(raising(Mute()))
    assert "its str() failed" in outcome.failure + outcome.feedback
    assert outcome.score == (0 if kind is AssertionError else None)
