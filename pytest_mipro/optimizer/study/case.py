"""The cases of a study, the tests that they belong to, and the outcome of a run of a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """How one run of a case ended: with a score, a skip, or an error (a broken measurement).

    `score` is in 0…1, None if the case was skipped or broke. `feedback` is canonical: the same text
    on every terminal. `metrics` are the further numbers of a `Score`. `skipped` is the reason of a
    skip and `error` the text of what broke the measurement, "" otherwise. `failure` is the
    exception's one-line text if the test raised neither an assertion nor a skip: the score is None
    until the same exception comes again on the same replies, and 0 from then on. `returned` tells
    whether the test returned a score.
    """

    score: float | None
    feedback: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    skipped: str = ""
    error: str = ""
    failure: str = ""
    returned: bool = False


@dataclass(frozen=True)
class TestSpec:
    """A metric-bearing test and the arguments of its mark.

    `name` is its name in the study. `threshold` is the mean that it must reach, `max_regression`
    the allowed loss against the lock (both in 0…1 or None); a case passes from `pass_score` on, as
    the mean of `repeats` runs. `labels` maps modules to the case column with their right output.
    `concurrent` allows cases to run at the same time.
    """

    __test__ = False  # pytest must not collect it

    name: str
    threshold: float | None = None
    max_regression: float | None = None
    pass_score: float = 1.0
    repeats: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    concurrent: bool = True


@dataclass(frozen=True)
class Case:
    """One case of one test.

    `id` is unique in the study. `row` is the key by which split, demos and clustering go; `test`
    names the `TestSpec`. `run` calls the test once and raises nothing but KeyboardInterrupt.
    `columns` are the row's values; `split` forces the row into a part; with `demo` False the row is
    kept out of demos and proposals.
    """

    id: str
    row: str
    test: str
    run: Callable[[], Outcome]
    columns: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None
    demo: bool = True


@dataclass(frozen=True)
class Study:
    """The cases that are optimised together.

    `name` is the lock's path as seen from pytest's ini file, `cases` are sorted by id, `tests`
    holds the `TestSpec` of each test by name, `salt` fixes the split.
    """

    name: str
    cases: tuple[Case, ...]
    tests: Mapping[str, TestSpec]
    salt: str


def cases_of(study: Study, rows: Sequence[str]) -> tuple[Case, ...]:
    """Return the study's cases of these rows, in the study's order."""
    wanted = frozenset(rows)
    return tuple(case for case in study.cases if case.row in wanted)
