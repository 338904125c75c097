"""Read the mark `mipro` of a test and check its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.runtime.text.redaction import one_line

if TYPE_CHECKING:
    import pytest


MARK = "mipro"
CASES_MARK = "mipro_cases"

# A named study is the stem of a file, on every file system.
_STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


@dataclass(frozen=True)
class MetricMark:
    """The arguments of the mark, all per test function; None: not given.

    `threshold` is the mean score that the test must reach, `max_regression` how far it may fall
    below the lock, both in 0…1. A case passes from `pass_score` on. `repeats` samples a case.
    `confidence` is at least 0.5 and below 1. `group` names a case column, `study` joins tests of
    several files, `labels` maps a module's output to a case column. `rerun_safe` names fixtures
    that repeated, concurrent calls may share; with `concurrent=False` the cases run one at a time.
    With `models` each case runs once with each model.
    """

    threshold: float | None = None
    pass_score: float = 1.0
    repeats: int = 1
    max_regression: float | None = None
    confidence: float | None = None
    group: str | None = None
    study: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    rerun_safe: tuple[str, ...] = ()
    concurrent: bool = True
    models: tuple[str, ...] = ()


def metric_mark(node: pytest.Item | pytest.Collector) -> MetricMark | None:
    """Return the mark of a test (an item or a function definition), None where it has none.

    Function, class and module may all carry the mark: the closest one that gives an argument
    decides about that argument, and `None` takes back what an outer one gave. Raises
    ConfigurationError, one line that names the test, for an argument that can't be used.
    """
    marks = list(node.iter_markers(MARK))  # the closest first
    if not marks:
        return None
    arguments: dict[str, Any] = {}
    for mark in reversed(marks):
        try:
            arguments |= checked(mark)
        except _ArgumentError as error:
            raise ConfigurationError(f"{node.nodeid}: @pytest.mark.{MARK}: {error}") from None
    return MetricMark(**arguments)


class _ArgumentError(ValueError):
    """The problem with one argument, without the name of the test."""


def checked(mark: pytest.Mark) -> dict[str, Any]:
    """Return the arguments of one mark as `MetricMark` has them; ValueError for an invalid one."""
    if mark.args:
        got = _shown(mark.args[0])
        remedy = f"; write threshold={got}" if _is_number(mark.args[0]) else ""
        raise _ArgumentError(f"takes arguments by name only, got {got}{remedy}")
    return {name: _check_of(name)(name, value) for name, value in mark.kwargs.items()}


def _check_of(name: str) -> Callable[[str, Any], Any]:
    check = _CHECKS.get(name)
    if check is None:
        near = get_close_matches(name, _CHECKS, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_CHECKS)}"
        raise _ArgumentError(f"unknown argument {name!r}; {remedy}")
    return check


def _shown(value: object) -> str:
    return one_line(repr(value), limit=80)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _unit(name: str, value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        percent = _is_number(value) and 10 <= value <= 100
        remedy = f"; write {value / 100:g}" if percent else ""
        raise _ArgumentError(f"{name} must be a number in 0…1, got {_shown(value)}{remedy}")
    return float(value)


def _confidence(name: str, value: Any) -> float:
    if not _is_number(value) or not 0.5 <= value < 1:
        level = _is_number(value) and 0 < value < 1  # as one says "at the level of 0.05"
        remedy = f"; write {1 - value:g}" if level else ""
        raise _ArgumentError(
            f"{name} must be a number from 0.5 to below 1, as 0.95, got {_shown(value)}{remedy}"
        )
    return float(value)


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _ArgumentError(f"{name} must be a whole number of at least 1, got {_shown(value)}")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _ArgumentError(f"{name} must be True or False, got {_shown(value)}")
    return value


def _name(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _ArgumentError(f"{name} must be a name, got {_shown(value)}")
    return value


def _study(name: str, value: Any) -> str:
    if not isinstance(value, str) or not _STUDY.match(value):
        raise _ArgumentError(
            f"{name} names a file: letters, digits, '_', '.' and '-' only, got {_shown(value)}"
        )
    return value


def _labels(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(text, str) for pair in value.items() for text in pair
    ):
        raise _ArgumentError(
            f"{name} maps module outputs to case columns, as {{'choose_queue': 'queue'}}, "
            f"got {_shown(value)}"
        )
    return dict(value)


def _names(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(
        isinstance(text, str) for text in value
    ):
        remedy = f"; write {name}=[{_shown(value)}]" if isinstance(value, str) else ""
        raise _ArgumentError(f"{name} must be a list of fixture names, got {_shown(value)}{remedy}")
    return tuple(sorted(set(value)))


def _models(name: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    named = isinstance(value, (list, tuple)) and all(
        isinstance(model, str) and model.strip() for model in value
    )
    if not named or not value or len(set(value)) < len(value):
        remedy = f"; write {name}=[{_shown(value)}]" if isinstance(value, str) else ""
        raise _ArgumentError(
            f"{name} must be a list of different models, as ['openai/gpt-4o', "
            f"'openai/gpt-4o-mini'], got {_shown(value)}{remedy}"
        )
    return tuple(value)


def _or_none(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda name, value: None if value is None else check(name, value)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "threshold": _or_none(_unit),
    "pass_score": _unit,
    "repeats": _count,
    "max_regression": _or_none(_unit),
    "confidence": _or_none(_confidence),
    "group": _or_none(_name),
    "study": _or_none(_study),
    "labels": _labels,
    "rerun_safe": _names,
    "concurrent": _flag,
    "models": _models,
}
