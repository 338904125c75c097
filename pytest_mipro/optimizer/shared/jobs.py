"""Jobs: a program to run on a few cases, with its share of the calls; and their runs, as JSON.

Paths are relative to the project's folder, which may lie elsewhere in another process.
"""

from __future__ import annotations

import hashlib
import json
import linecache
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from types import CodeType
from typing import Any

from pytest_mipro.errors import StorageError
from pytest_mipro.optimizer.study.case import Case, CaseRun, Outcome, TestSpec
from pytest_mipro.runtime.calls.own_client import OWN_CLIENT
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.signature import Signature, defined_signature

# It must not depend on the number of processes: a new leader looks up the jobs of the last one.
_RUNS_PER_JOB = 8
_UNKNOWN = compile("", "<unknown>", "exec")  # a function whose source this machine does not have


@dataclass(frozen=True)
class Job:
    """Cases to run under a program: prompts by path, relative to the project's folder.

    `limit` bounds its LM requests, which are billed in `stage`; the other fields are those of
    `Evaluator.start`. All of it is JSON.
    """

    cases: tuple[str, ...]
    prompts: Mapping[str, Any]
    limit: int
    repeats: bool = True
    first_sample: int = 0
    teacher: Mapping[str, Any] | None = None
    max_calls_per_case: int | None = None
    stage: str = ""

    @property
    def key(self) -> str:
        """A digest of all that can change the job's result."""
        text = json.dumps(asdict(replace(self, stage="")), ensure_ascii=True)
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


class Serialiser:
    """Dumps and loads prompts and runs of one study; their paths are relative to `root`."""

    def __init__(self, cases: Iterable[Case], root: Path) -> None:
        self.cases = {case.id: case for case in cases}
        self._root = root

    def dump_prompts(self, prompts: Mapping[Path, Prompt]) -> dict[str, Any]:
        """Return the prompts as a JSON value."""
        return {
            self._relative(path): {
                "instruction": prompt.instruction,
                "demos": [asdict(replace(demo, inputs=dict(demo.inputs))) for demo in prompt.demos],
            }
            for path, prompt in prompts.items()
        }

    def load_prompts(self, data: Mapping[str, Any]) -> dict[Path, Prompt]:
        """Return the prompts of a JSON value."""
        return {
            self._absolute(path): Prompt(
                entry["instruction"], tuple(Demo(**demo) for demo in entry["demos"])
            )
            for path, entry in data.items()
        }

    def dump_run(self, run: CaseRun) -> dict[str, Any]:
        """Return the run as a JSON value."""
        return {
            "case": run.case.id,
            "sample": run.sample,
            "outcome": {**vars(run.outcome), "metrics": dict(run.outcome.metrics)},
            "calls": [self._dump_call(call) for call in run.calls],
            "steps": [{**vars(step), "code": self._dump_code(step.code)} for step in run.steps],
        }

    def load_run(self, data: Mapping[str, Any]) -> CaseRun:
        """Return the run of a JSON value; raises StorageError for an unknown module."""
        return CaseRun(
            self.cases[data["case"]],
            data["sample"],
            Outcome(**data["outcome"]),
            tuple(self._load_call(call) for call in data["calls"]),
            steps=tuple(
                StepCall(**{**step, "code": self._load_code(*step["code"])})
                for step in data["steps"]
            ),
        )

    def _dump_call(self, call: ModuleCall) -> dict[str, Any]:
        return {
            **vars(call),
            "signature": None if call.own else self._dump_signature(call.signature),
            "parameters": dict(call.parameters),
            "inputs": dict(call.inputs),
            "usage": asdict(call.usage),
            "stack": [self._dump_code(code) for code in call.stack],
        }

    def _dump_code(self, code: CodeType) -> list[Any]:
        return [self._relative(Path(code.co_filename)), code.co_firstlineno, code.co_name]

    def _dump_signature(self, signature: Signature) -> list[str]:
        path = (signature.plain or signature).prompt_path
        return [signature.name, self._relative(path), signature.variant]

    def _load_signature(self, name: str, path: str, variant: str) -> Signature:
        signature = defined_signature(name, self._absolute(path))
        if signature is None:
            raise StorageError(
                f"another process called the LM module {name!r}, which this one does not know; "
                "define it at the top level of a file that the tests import, and run the same "
                "commit on all machines"
            )
        return signature.of_variant(variant)

    def _load_call(self, data: Mapping[str, Any]) -> ModuleCall:
        module = data["signature"]
        signature = OWN_CLIENT if module is None else self._load_signature(*module)
        stack = tuple(self._load_code(*place) for place in data["stack"])
        read = {**data, "signature": signature, "usage": Usage(**data["usage"]), "stack": stack}
        return ModuleCall(**read)

    def _load_code(self, path: str, line: int, name: str) -> CodeType:
        file = self._absolute(path)
        if not file.is_relative_to(self._root):
            return _UNKNOWN
        return _functions(file).get((line, name), _UNKNOWN)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self._root).replace(os.sep, "/")

    def _absolute(self, path: str) -> Path:
        return Path(os.path.normpath(self._root / path))


@lru_cache(maxsize=256)
def _functions(file: Path) -> Mapping[tuple[int, str], CodeType]:
    """Return a file's functions by first line and name; it is compiled, never run."""
    source = "".join(linecache.getlines(str(file)))
    try:
        waiting = [compile(source, str(file), "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        return {}
    found: dict[tuple[int, str], CodeType] = {}
    while waiting:
        code = waiting.pop()
        found[code.co_firstlineno, code.co_name] = code
        waiting += [item for item in code.co_consts if isinstance(item, CodeType)]
    return found
