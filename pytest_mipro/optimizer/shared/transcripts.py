"""Runs of cases ⇄ JSON: how they ended and what their modules did, for another process to read."""

from __future__ import annotations

import linecache
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import StorageError
from pytest_mipro.optimizer.shared.jobs import absolute, relative
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.optimizer.study.runs import CaseRun
from pytest_mipro.runtime.calls.context import ModuleCall
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.signature.signature import defined_signature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_mipro.optimizer.study.case import Case

_UNKNOWN = compile("", "<unknown>", "exec")  # a function whose source this machine does not have


class Transcripts:
    """Writes and reads runs of one study's cases; places are relative to the project's folder."""

    def __init__(self, cases: Iterable[Case], root: Path) -> None:
        self._cases = {case.id: case for case in cases}
        self._root = root

    def case(self, number: str) -> Case:
        """Return the case of an id."""
        return self._cases[number]

    def write(self, run: CaseRun) -> Any:
        """Return the run as a JSON value."""
        return {
            "case": run.case.id,
            "sample": run.sample,
            "outcome": {**vars(run.outcome), "metrics": dict(run.outcome.metrics)},
            "calls": [self._write_call(call) for call in run.calls],
        }

    def read(self, data: Mapping[str, Any]) -> CaseRun:
        """Return the run of a JSON value; raises StorageError for a module that is not known."""
        return CaseRun(
            self.case(data["case"]),
            data["sample"],
            Outcome(**data["outcome"]),
            tuple(self._read_call(call) for call in data["calls"]),
        )

    def _write_call(self, call: ModuleCall) -> Any:
        return {
            **vars(call),
            "signature": [call.signature.name, relative(call.signature.prompt_path, self._root)],
            "parameters": dict(call.parameters),
            "inputs": dict(call.inputs),
            "usage": asdict(call.usage),
            "stack": [self._write_code(code) for code in call.stack],
        }

    def _read_call(self, data: Mapping[str, Any]) -> ModuleCall:
        name, path = data["signature"]
        signature = defined_signature(name, absolute(path, self._root))
        if signature is None:
            raise StorageError(
                f"another process called the LM module {name!r}, which this one does not know; "
                "define it at the top level of a file that the tests import, and run the same "
                "commit on all machines"
            )
        stack = tuple(self._read_code(*place) for place in data["stack"])
        read = {**data, "signature": signature, "usage": Usage(**data["usage"]), "stack": stack}
        return ModuleCall(**read)

    def _write_code(self, code: CodeType) -> Any:
        return [relative(Path(code.co_filename), self._root), code.co_firstlineno, code.co_name]

    def _read_code(self, path: str, line: int, name: str) -> CodeType:
        file = absolute(path, self._root)
        if not file.is_relative_to(self._root):
            return _UNKNOWN
        return _functions(file).get((line, name), _UNKNOWN)


@lru_cache(maxsize=256)
def _functions(file: Path) -> Mapping[tuple[int, str], CodeType]:
    """Return a file's functions by first line and name; compiled to be read, never to be run."""
    try:
        whole = compile(
            "".join(linecache.getlines(str(file))), str(file), "exec", dont_inherit=True
        )
    except (SyntaxError, ValueError):
        return {}
    found: dict[tuple[int, str], CodeType] = {}
    waiting = [whole]
    while waiting:
        code = waiting.pop()
        found[code.co_firstlineno, code.co_name] = code
        waiting += [item for item in code.co_consts if isinstance(item, CodeType)]
    return found
