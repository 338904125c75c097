"""The cases of a study, the tests that they belong to, and the outcome of a run of a case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Outcome:
    """How one run of a case ended: a score, a skip, or an error (a broken measurement).

    `score` is in 0…1, None where the case was skipped or broke. `feedback` is the same text on
    every terminal. `failure` is the one-line text of an exception that is neither an assertion nor
    a skip; the score is None until the exception comes again on the same replies, then 0.
    `returned` is set where the test returned its score.
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
    """A metric-bearing test: its name in the study, and the arguments of its mark.

    `labels` maps modules to the case column that holds their right output.
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
    """One case of one test. `run` calls the test once and never raises but for Ctrl-C.

    `id` is unique in the study, `row` is what split, demos and clustering go by, `test` names
    the `TestSpec`. `columns` are the row's values; `split` forces a part; `demo=False` keeps the
    row out of demos and grounding.
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
    """The cases optimised together. `name` is the lock's path stem; `salt` fixes the split."""

    name: str
    cases: tuple[Case, ...]
    tests: Mapping[str, TestSpec]
    salt: str


def cases_of(study: Study, rows: Sequence[str]) -> tuple[Case, ...]:
    """Return the study's cases of these rows, in the study's order."""
    wanted = frozenset(rows)
    return tuple(case for case in study.cases if case.row in wanted)
