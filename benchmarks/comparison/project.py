"""A world as a project that uses pytest-mipro: pipeline, test, cases and settings."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.metric import exact, metric_of
from benchmarks.comparison.output_source import classes_of, imports_of, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from benchmarks.comparison.world import Row, Stage, World

ROOT = Path(__file__).parents[2]
_PIPELINE = '''"""The program."""

{imports}
from pytest_mipro import lm_module
{classes}'''
_EXACT = """import pytest
from pipeline import program

from pytest_mipro import cases


@pytest.mark.mipro(threshold=0.5, labels={labels})
@cases("rows.jsonl")
def test_{answer}({inputs}, {answer}):
    assert program({inputs}) == {answer}
"""
_GRADED = """import pytest
from pipeline import program

from benchmarks.comparison.metric import {metric}
from pytest_mipro import Score, cases


@pytest.mark.mipro(threshold=0.5, labels={labels})
@cases("rows.jsonl")
def test_{answer}({inputs}, {answer}):
    given = program({inputs})
    return Score({metric}(given, {answer}), feedback=f"got {{given!r}}, wanted {{{answer}!r}}")
"""


def write_project(folder: Path, world: World, ini: Mapping[str, Any], *, labels: bool) -> None:
    """Write the project; `labels` names to the test's mark the column that holds the label."""
    (folder / "tests").mkdir(parents=True)
    (folder / "pipeline.py").write_text(pipeline_source(world), encoding="utf-8")
    marked = {world.stages[-1].name: world.answer} if labels else {}
    (folder / "tests" / "test_program.py").write_text(_test_source(world, marked), encoding="utf-8")
    rows = "".join(json.dumps(row) + "\n" for row in columns(world, world.rows))
    (folder / "tests" / "rows.jsonl").write_text(rows, encoding="utf-8")
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in ini.items())
    (folder / "pyproject.toml").write_text(
        f'[tool.pytest.ini_options]\npythonpath = [".", {json.dumps(str(ROOT))}]\n{settings}',
        encoding="utf-8",
    )


def _test_source(world: World, marked: Mapping[str, str]) -> str:
    metric = metric_of(world.stages[-1])
    return (_EXACT if metric is exact else _GRADED).format(
        metric=metric.__name__,
        labels=json.dumps(marked),
        inputs=", ".join(world.rows[0].inputs),
        answer=world.answer,
    )


def columns(world: World, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the rows as the case file has them."""
    return [{"id": row.id, **row.inputs, world.answer: row.answer} for row in rows]


def pipeline_source(world: World) -> str:
    """Return the source of the program's module."""
    stages = "".join(_stage_source(stage) for stage in world.stages)
    names = list(world.rows[0].inputs)
    calls = "".join(
        f"    {stage.output} = {stage.name}("
        + ", ".join(f"{name}={name}" for name in stage.inputs)
        + ")\n"
        for stage in world.stages
    )
    typed = ", ".join(f"{name}: str" for name in names)
    kind = type_of(world.stages[-1])
    program = f"\n\ndef program({typed}) -> {kind}:\n{calls}    return {world.answer}\n"
    head = _PIPELINE.format(imports=imports_of(world), classes=classes_of(world))
    return head + stages + program


def _stage_source(stage: Stage) -> str:
    inputs = ", ".join(f"{name}: str" for name in stage.inputs)
    head = f"def {stage.name}({inputs}) -> {type_of(stage)}:"
    return f'\n\n@lm_module\n{head}\n    """{stage.instruction}"""\n'


def load_pipeline(folder: Path) -> ModuleType:
    """Return the project's module `pipeline`, imported under a unique name."""
    path = folder / "pipeline.py"
    spec = importlib.util.spec_from_file_location(f"pipeline_{folder.name}", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} can't be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
