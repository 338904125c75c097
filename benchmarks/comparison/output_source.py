"""The type of a stage's output as Python source: the same in both programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.comparison.world import Stage, World


def type_of(stage: Stage) -> str:
    """Return the annotation of the output."""
    if stage.fields:
        return stage.output.title()
    label = f"Literal[{', '.join(map(repr, stage.labels))}]"
    return f"list[{label}]" if stage.several else label if stage.labels else "str"


def imports_of(world: World) -> str:
    """Return the lines that import what the types need."""
    lines = [
        ("from typing import Literal\n", any(stage.labels for stage in world.stages)),
        ("from pydantic import BaseModel\n", any(stage.fields for stage in world.stages)),
    ]
    return "".join(line for line, needed in lines if needed)


def classes_of(world: World) -> str:
    """Return a class for each output with fields, all of them optional strings."""
    return "".join(_class(stage) for stage in world.stages if stage.fields)


def _class(stage: Stage) -> str:
    fields = "".join(f"    {name}: str | None = None\n" for name in stage.fields)
    return f"\n\nclass {type_of(stage)}(BaseModel):\n{fields}"
