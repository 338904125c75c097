"""Turn one run of a test function into an Outcome, for the gate and the optimiser alike."""

from __future__ import annotations

import asyncio
import inspect
import math
import unittest
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from statistics import fmean
from traceback import walk_tb
from typing import Any, Literal

import pytest

from pytest_mipro.errors import MiproError, ProgramError
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.measuring.feedback import (
    Comparison,
    assertion_feedback,
    canonical,
    canonical_repr,
    exception_line,
    not_asked,
    noting_comparisons,
)
from pytest_mipro.plugin.measuring.soft_assertions import (
    SoftFailure,
    soft_assertions,
    stops_at_failures,
)
from pytest_mipro.runtime.calls.context import current_context
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.score import ROUNDING, Score
from pytest_mipro.runtime.text.redaction import hide_secrets
from pytest_mipro.runtime.text.safe_text import text_of

RETURNED_NOTHING = (
    "the test returned nothing here and a score elsewhere; return a score on every path"
)
_LARGEST = 1e300  # of a metric: the sum over all cases is then finite, too
# Subclasses of BaseException that mean an outcome of the test.
_OUTCOMES = (pytest.skip.Exception, pytest.fail.Exception, pytest.xfail.Exception)
_CANCELLED = Outcome(None, failure="the test was cancelled")
_FAILED = (AssertionError, pytest.fail.Exception, ProgramError)


def measure(call: Callable[[], object], given: Sequence[object] = ()) -> Outcome:
    """Call a test once and return how it ended; a coroutine is awaited in this thread.

    `given` are the values of its case, which tell what is wanted from what the program gave.
    It runs under the caller's `CallContext`, whose trace tells of errors that break the
    measurement though the pipeline swallowed them. Raises KeyboardInterrupt and pytest's Exit
    alone.
    """
    context = current_context("test")
    with observed(context.trace if context else None, given, concurrent=True) as seen:
        try:
            value = call()
            seen.value = _awaited(value) if inspect.isawaitable(value) else value
        except (Exception, KeyboardInterrupt, GeneratorExit, *_OUTCOMES):
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit, a cancelled task: the test's own failure
            seen.error = error
    return seen.outcome


@dataclass
class Observation:
    """One call of a test: what it returned or raised, and the outcome."""

    value: object = None
    error: BaseException | None = None
    outcome: Outcome = _CANCELLED


@contextmanager
def observed(
    trace: Trace | None, given: Sequence[object] = (), *, concurrent: bool = False
) -> Iterator[Observation]:
    """Make one call of a test in the block: set `value` in it, read `outcome` after it.

    With `concurrent` others may run beside it. Swallows what means an outcome, and keeps it as
    `error`; what must pass (Ctrl-C, pytest's Exit, cancellation) passes.
    """
    __tracebackhide__ = True
    seen = Observation()
    with noting_comparisons() as notes, soft_assertions(concurrent=concurrent) as failed_softly:
        try:
            yield seen
        except pytest.exit.Exception:
            raise
        except (Exception, *_OUTCOMES) as error:  # noqa: BLE001 - whatever a test raises
            seen.error = error
        softly, skipped = failed_softly(), isinstance(seen.error, pytest.skip.Exception)
        if seen.error is None or skipped or stops_at_failures(seen.error):
            seen.error = softly or seen.error
    if trace is not None and trace.broken is not None:
        seen.outcome = Outcome(None, error=_text(trace.broken))
    elif cause := _cause_of(seen.error, trace):
        calls = trace.calls if trace else ()
        outputs = [call.output for call in calls if not call.error]
        wanted = not_asked(given, (it for call in calls for it in call.inputs.values()))
        seen.outcome = raised(cause, notes, outputs, wanted)
    else:
        seen.outcome = returned(seen.value)


def _cause_of(error: BaseException | None, trace: Trace | None) -> BaseException | None:
    """Return what a test raised; where its own LM client did, what that client was told."""
    ordinary = isinstance(error, Exception) and not isinstance(error, (AssertionError, MiproError))
    return trace.caused if ordinary and trace is not None and trace.caused else error


def returned(value: Any) -> Outcome:
    """Return the outcome of a test that returned `value` and raised nothing.

    None scores 1. Anything but None, a bool, a number or a `Score` in 0…1 is an error; what misses
    the range by rounding alone, as a sum of weights does, is its end.
    """
    if value is None:
        return Outcome(1.0)
    score = value if isinstance(value, Score) else Score(value)
    number = _number(score.value)
    if number is None:
        what = "Score.value is" if isinstance(value, Score) else "the test returned"
        return Outcome(
            None,
            error=f"{what} {canonical_repr(score.value)}; return None, a bool, a number in 0…1, or "
            "Score(value, feedback)",
        )
    if not -ROUNDING <= number <= 1 + ROUNDING:
        remedy = "scale it, higher is better"
        if math.isnan(number):
            remedy = "say what a case scores where nothing can be computed, as by 0/0, or skip it"
        return Outcome(None, error=f"the score {number!r} is not in 0…1; {remedy}")
    metrics = {name: _number(metric) for name, metric in score.metrics.items()}
    for name, metric in metrics.items():
        if metric is None or not abs(metric) <= _LARGEST:
            given = canonical_repr(score.metrics[name])
            wanted = f"a finite number of at most {_LARGEST:g}"
            return Outcome(None, error=f"the metric {name!r} is not {wanted}: {given}")
    known = {name: metric for name, metric in metrics.items() if metric is not None}
    within = min(max(number, 0.0), 1.0)
    return Outcome(within, canonical(text_of(score.feedback)), known, returned=True)


def raised(
    error: BaseException,
    notes: Sequence[Comparison],
    outputs: Sequence[object],
    given: Sequence[object],
) -> Outcome:
    """Return the outcome of a test that raised.

    `notes` are the comparisons that failed in it, `outputs` what the program's modules gave,
    `given` the values of the case that it does not ask with.
    """
    leaf = _only_cause(error)
    if isinstance(leaf, pytest.xfail.Exception):
        return Outcome(None, skipped=f"xfail: {canonical(text_of(leaf))}")
    if isinstance(leaf, (pytest.skip.Exception, unittest.SkipTest)):
        return Outcome(None, skipped=canonical(text_of(leaf)) or "skipped")
    if isinstance(leaf, AssertionError):
        return Outcome(0.0, assertion_feedback(leaf, notes, outputs, given))
    if isinstance(leaf, _FAILED) and not _timed_out(leaf):
        return Outcome(
            0.0, canonical(leaf.feedback if isinstance(leaf, SoftFailure) else text_of(leaf))
        )
    if isinstance(leaf, MiproError):  # the world's or the user's set-up: no measurement
        return Outcome(None, error=_text(leaf))
    return Outcome(None, failure=exception_line(leaf))


def _timed_out(error: BaseException) -> bool:
    """Return whether pytest-timeout ended the test: what it raises is no judgement of the test."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any(frame.f_globals.get("__name__") == "pytest_timeout" for frame in frames)


def mean_outcome(samples: Sequence[Outcome]) -> Outcome:
    """Return the outcome of a case that was run several times: the mean of its scores.

    One sample that broke, failed or was skipped decides for all, in this order. The feedback is
    the worst sample's.
    """
    for kind in ("error", "failure", "skipped"):
        for sample in samples:
            if getattr(sample, kind):
                return sample
    if returned_nothing(samples):
        return Outcome(None, error=RETURNED_NOTHING)
    scores = [sample.score for sample in samples if sample.score is not None]
    worst = min(samples, key=lambda sample: sample.score or 0.0)
    names = sorted({name for sample in samples for name in sample.metrics})
    metrics = {
        name: fmean(sample.metrics[name] for sample in samples if name in sample.metrics)
        for name in names
    }
    return replace(worst, score=fmean(scores), metrics=metrics)


def returned_nothing(outcomes: Iterable[Outcome]) -> tuple[int, ...]:
    """Return the places of the outcomes that returned nothing where others returned a score.

    They are errors: a path of the test forgot its score. An assertion is no such path.
    """
    listed = list(outcomes)
    silent = (n for n, outcome in enumerate(listed) if outcome.score == 1 and not outcome.returned)
    return tuple(silent) if any(outcome.returned for outcome in listed) else ()


def case_status(outcome: Outcome, pass_score: float) -> Status:
    """Return how a case counts: its score against the pass score, or what kept it from one."""
    if outcome.error:
        return "error"
    if outcome.failure:
        return "failed"
    if outcome.score is None:
        return "skipped"
    # The mean of repeats may miss its exact value by rounding.
    return "passed" if outcome.score >= pass_score - ROUNDING else "missed"


Status = Literal["passed", "missed", "failed", "error", "skipped"]


def _awaited(value: Any) -> object:
    async def wait() -> object:
        return await value

    with asyncio.Runner() as runner:
        return runner.run(wait())


def _text(error: BaseException) -> str:
    return hide_secrets(" ".join(str(error).split())) or type(error).__name__


def _number(value: Any) -> float | None:
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()  # a scalar of numpy or another array library
    if not isinstance(value, (Real, Decimal)):  # no `Real`, as it does not mix with floats
        return None
    try:
        return float(value)
    except (OverflowError, ValueError):
        return math.inf


def _only_cause(error: BaseException) -> BaseException:
    """Return what a group of exceptions stands for: its first, where all of them score 0."""
    if not isinstance(error, BaseExceptionGroup) or error.split(_FAILED)[1] is not None:
        return error
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
