"""Jobs: what one process asks of all, a program on a few cases, as JSON."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mipro.runtime.calls.context import Teacher
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_mipro.optimizer.study.case import Case, TestSpec

# So many case runs make a job. It must not depend on how many processes there are: a process that
# takes the lead looks the jobs up that another one put up.
_RUNS_A_JOB = 8


@dataclass(frozen=True)
class Job:
    """Cases to run under a program: prompts by path, relative to the project's folder.

    `limit` bounds its LM requests; the other fields are those of `Evaluator.start`.
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

    def json(self) -> Any:
        """Return the job as a JSON value."""
        return asdict(self)

    def with_limit(self, limit: int) -> Job:
        """Return the job with another limit."""
        return replace(self, limit=limit)


def job_of(data: Mapping[str, Any]) -> Job:
    """Return the job of a JSON value."""
    return Job(**{**data, "cases": tuple(data["cases"])})


def teacher_of(job: Job) -> Teacher | None:
    """Return who answers for the modules."""
    return Teacher(**job.teacher) if job.teacher is not None else None


def prompts_json(prompts: Mapping[Path, Prompt], root: Path) -> dict[str, Any]:
    """Return the prompts as a JSON value, their paths relative to `root`."""
    return {
        relative(path, root): {
            "instruction": prompt.instruction,
            "demos": [asdict(replace(demo, inputs=dict(demo.inputs))) for demo in prompt.demos],
        }
        for path, prompt in prompts.items()
    }


def prompts_of(data: Mapping[str, Any], root: Path) -> dict[Path, Prompt]:
    """Return the prompts of a JSON value."""
    return {
        absolute(path, root): Prompt(
            entry["instruction"], tuple(Demo(**demo) for demo in entry["demos"])
        )
        for path, entry in data.items()
    }


def relative(path: Path, root: Path) -> str:
    """Return the path as every machine knows it."""
    return os.path.relpath(path, root).replace(os.sep, "/")


def absolute(path: str, root: Path) -> Path:
    """Return where the path lies on this machine."""
    return Path(os.path.normpath(root / path))


def chunks(
    cases: Iterable[Case], tests: Mapping[str, TestSpec], *, repeats: bool
) -> list[tuple[tuple[Case, ...], int]]:
    """Return the cases in jobs' sizes, each with its number of runs.

    Cases of a row stay together: they may share requests, which one process then asks once. Rows
    are in the order of their places, so that a job lies in one neighbourhood.
    """
    rows: dict[str, list[Case]] = {}
    for case in cases:
        rows.setdefault(case.row, []).append(case)
    found: list[tuple[tuple[Case, ...], int]] = []
    mine: list[Case] = []
    runs = 0
    for row in sorted(rows, key=lambda row: (place_of(row), row)):
        mine += rows[row]
        runs += sum(tests[case.test].repeats if repeats else 1 for case in rows[row])
        if runs >= _RUNS_A_JOB:
            found.append((tuple(mine), runs))
            mine, runs = [], 0
    return [*found, (tuple(mine), runs)] if mine else found


def place_of(row: str) -> float:
    """Return a row's place in 0…1, the same in every evaluation.

    A process takes the jobs of its own neighbourhood first: replies to modules whose prompts did
    not change are in its cache, and the endpoint is not asked for them once more.
    """
    return int.from_bytes(hashlib.sha256(row.encode("utf-8", "replace")).digest()[:4]) / 2**32


def shares(calls: int, weights: Sequence[int]) -> list[int]:
    """Return whole parts of `calls` in the ratio of the weights; their sum is `calls`."""
    total = sum(weights)
    ends = [0, *(calls * reached // total for reached in accumulate(weights))]
    return [end - start for start, end in pairwise(ends)]
