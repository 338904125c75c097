"""Split an evaluation into jobs: a program to run on a few cases, with its share of the calls."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import Any

from pytest_mipro.optimizer.study.case import Case, TestSpec

# It must not depend on the number of processes: a new leader looks up the jobs of the last one.
_RUNS_PER_JOB = 8


@dataclass(frozen=True)
class Job:
    """Cases to run under a program: prompts by path, relative to the project's folder.

    `limit` bounds its LM requests; the other fields are those of `Evaluator.start`. All of it is
    JSON.
    """

    cases: tuple[str, ...]
    prompts: Mapping[str, Any]
    limit: int
    repeats: bool = True
    first_sample: int = 0
    teacher: Mapping[str, Any] | None = None
    max_calls_per_case: int | None = None

    @property
    def key(self) -> str:
        """A digest of all that can change the job's result."""
        text = json.dumps(asdict(self), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def job_of(data: Mapping[str, Any]) -> Job:
    """Return the job of a JSON value."""
    return Job(**{**data, "cases": tuple(data["cases"])})


def chunks(
    cases: Iterable[Case], tests: Mapping[str, TestSpec], *, repeats: bool
) -> list[tuple[tuple[Case, ...], int]]:
    """Return the cases of each job, with the number of runs that they need.

    Cases of a row stay together: they may share requests, which one process then makes once. Rows
    are ordered by their places, so that a job's rows are neighbours.
    """
    rows: dict[str, list[Case]] = {}
    for case in cases:
        rows.setdefault(case.row, []).append(case)
    found: list[tuple[tuple[Case, ...], int]] = []
    mine: list[Case] = []
    runs = 0
    for row in sorted(rows, key=lambda row: (row_place(row), row)):
        mine += rows[row]
        runs += sum(tests[case.test].repeats if repeats else 1 for case in rows[row])
        if runs >= _RUNS_PER_JOB:
            found.append((tuple(mine), runs))
            mine, runs = [], 0
    return [*found, (tuple(mine), runs)] if mine else found


def row_place(row: str) -> float:
    """Return a row's place in 0…1, the same in every evaluation.

    Each process prefers jobs from its own range of places: its cache then has the replies to
    modules whose prompts did not change.
    """
    return int.from_bytes(hashlib.sha256(row.encode("utf-8", "replace")).digest()[:4]) / 2**32


def split_calls(calls: int, weights: Sequence[int]) -> list[int]:
    """Return whole parts of `calls` in the ratio of the weights; their sum is `calls`."""
    total = sum(weights)
    ends = [0, *(calls * reached // total for reached in accumulate(weights))]
    return [end - start for start, end in pairwise(ends)]
