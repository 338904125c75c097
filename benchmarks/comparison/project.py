"""A world as a project that uses pytest-mipro: pipeline, test, cases and settings."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import ModuleType

    from benchmarks.comparison.world import Row, Stage, World

_PIPELINE = '''"""The program."""

from typing import Literal

from pytest_mipro import lm_module
'''
_TEST = """import pytest
from pipeline import program

from pytest_mipro import cases


@pytest.mark.mipro(threshold=0.5, labels={labels})
@cases("rows.jsonl")
def test_{answer}({inputs}, {answer}):
    assert program({inputs}) == {answer}
"""


def write_project(folder: Path, world: World, ini: Mapping[str, Any], *, labels: bool) -> None:
    """Write the project; `labels` names to the test's mark the column that holds the label."""
    (folder / "tests").mkdir(parents=True)
    (folder / "pipeline.py").write_text(pipeline_source(world), encoding="utf-8")
    names = ", ".join(world.rows[0].inputs)
    marked = {world.stages[-1].name: world.answer} if labels else {}
    test = _TEST.format(labels=json.dumps(marked), answer=world.answer, inputs=names)
    (folder / "tests" / "test_program.py").write_text(test, encoding="utf-8")
    rows = "".join(json.dumps(row) + "\n" for row in columns(world, world.rows))
    (folder / "tests" / "rows.jsonl").write_text(rows, encoding="utf-8")
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in ini.items())
    (folder / "pyproject.toml").write_text(
        f'[tool.pytest.ini_options]\npythonpath = ["."]\n{settings}', encoding="utf-8"
    )


def columns(world: World, rows: Iterable[Row]) -> list[dict[str, str]]:
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
    program = f"\n\ndef program({typed}) -> str:\n{calls}    return {world.answer}\n"
    return _PIPELINE + stages + program


def _stage_source(stage: Stage) -> str:
    kind = f"Literal[{', '.join(map(repr, stage.labels))}]" if stage.labels else "str"
    inputs = ", ".join(f"{name}: str" for name in stage.inputs)
    return f'\n\n@lm_module\ndef {stage.name}({inputs}) -> {kind}:\n    """{stage.instruction}"""\n'


def load_pipeline(folder: Path) -> ModuleType:
    """Return the project's module `pipeline`, imported under a unique name."""
    path = folder / "pipeline.py"
    spec = importlib.util.spec_from_file_location(f"pipeline_{folder.name}", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} can't be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
