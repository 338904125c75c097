"""Programs and runs of cases ⇄ JSON, for processes whose project lies in another folder."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from pytest_mipro.errors import StorageError
from pytest_mipro.optimizer.study.case import Case, Outcome
from pytest_mipro.optimizer.study.runs import CaseRun
from pytest_mipro.runtime.calls.context import ModuleCall
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.signature import defined_signature

_UNKNOWN = compile("", "<unknown>", "exec")  # a function whose source this machine does not have


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
        }

    def load_run(self, data: Mapping[str, Any]) -> CaseRun:
        """Return the run of a JSON value; raises StorageError for an unknown module."""
        return CaseRun(
            self.cases[data["case"]],
            data["sample"],
            Outcome(**data["outcome"]),
            tuple(self._load_call(call) for call in data["calls"]),
        )

    def _dump_call(self, call: ModuleCall) -> dict[str, Any]:
        return {
            **vars(call),
            "signature": [call.signature.name, self._relative(call.signature.prompt_path)],
            "parameters": dict(call.parameters),
            "inputs": dict(call.inputs),
            "usage": asdict(call.usage),
            "stack": [
                [self._relative(Path(code.co_filename)), code.co_firstlineno, code.co_name]
                for code in call.stack
            ],
        }

    def _load_call(self, data: Mapping[str, Any]) -> ModuleCall:
        name, path = data["signature"]
        signature = defined_signature(name, self._absolute(path))
        if signature is None:
            raise StorageError(
                f"another process called the LM module {name!r}, which this one does not know; "
                "define it at the top level of a file that the tests import, and run the same "
                "commit on all machines"
            )
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
