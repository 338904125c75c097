"""The fields of a study's lock: what was measured when its prompts were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_mipro.plugin.config.paths import relative_path

SUFFIX = ".mipro.json"


@dataclass(frozen=True)
class LockedModule:
    """A module that the study's cases called. `prompt_path` is relative to the lock, with `/`.

    `prompt`, `docstring` (as a prompt) and `signature` are digests; prompt and docstring are equal
    without a prompt file. `model` and `parameters` are those of the calls: a module called with
    several has several entries. `frozen` modules are measured, never written.
    """

    name: str
    prompt_path: str
    prompt: str
    docstring: str
    signature: str
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    frozen: bool = False


@dataclass(frozen=True)
class LockedCase:
    """A case as measured under the written prompts.

    `id` is unique in the study; `digest` is of the row's columns; `score` is in 0…1, None where
    the case was skipped.
    """

    id: str
    test: str
    row: str
    digest: str
    score: float | None


@dataclass(frozen=True)
class LockedLesson:
    """The lift of an instruction by the choices of its proposal; the next search starts from it.

    `lift` is in -1…1, measured on `rows`; the other fields are the choices.
    """

    strategy: str
    tip: str
    dataset: bool
    program: bool
    examples: str
    temperature: float
    model: str
    lift: float
    rows: int


@dataclass(frozen=True)
class Lock:
    """The content of a lock, in an order that doesn't depend on how it was given.

    `salt` fixes the split, `holdout_uses` counts the uses of the holdout, `logical_calls` the
    distinct requests of the study; `demo_rows` are the rows that became demos; `lessons` are the
    proposal lessons, oldest first, if switched on. `confirmed` tells whether a holdout that the
    search never used confirmed the prompts.
    """

    salt: str
    seed: int
    logical_calls: int
    holdout_uses: int = 0
    confirmed: bool = False
    demo_rows: tuple[str, ...] = ()
    lessons: tuple[LockedLesson, ...] = ()
    modules: tuple[LockedModule, ...] = ()
    cases: tuple[LockedCase, ...] = ()

    def __post_init__(self) -> None:
        modules = sorted(self.modules, key=_place)
        cases = sorted(self.cases, key=lambda case: case.id)
        object.__setattr__(self, "modules", tuple(modules))
        object.__setattr__(self, "cases", tuple(cases))
        object.__setattr__(self, "demo_rows", tuple(sorted(set(self.demo_rows))))

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """The scores by case id; skipped cases have none."""
        return {case.id: case.score for case in self.cases if case.score is not None}


def split_salt(lock: Lock | None, path: Path, root: Path) -> str:
    """Return the salt of a study's split: the lock's, else one made of its `path` below `root`."""
    if lock is not None:
        return lock.salt
    return hashlib.sha256(relative_path(path, root).encode()).hexdigest()[:16]


def _place(module: LockedModule) -> tuple[str, ...]:
    return (
        module.name,
        module.prompt_path,
        module.model,
        json.dumps(dict(module.parameters), sort_keys=True),
    )
