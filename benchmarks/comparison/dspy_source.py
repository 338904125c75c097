"""A world as a DSPy program, written as DSPy's documentation writes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.comparison.output_source import classes_of, imports_of, type_of

if TYPE_CHECKING:
    from benchmarks.comparison.world import Stage, World

_HEAD = '''"""The program."""

{imports}
import dspy
{classes}'''


def program_source(world: World) -> str:
    """Return the source of a file with a signature a stage and the class `Program`."""
    head = _HEAD.format(imports=imports_of(world), classes=classes_of(world))
    return head + "".join(_signature(stage) for stage in world.stages) + _program(world)


def _signature(stage: Stage) -> str:
    inputs = "".join(f"    {name}: str = dspy.InputField()\n" for name in stage.inputs)
    return (
        f'\n\nclass {_class_name(stage)}(dspy.Signature):\n    """{stage.instruction}"""\n\n'
        f"{inputs}    {stage.output}: {type_of(stage)} = dspy.OutputField()\n"
    )


def _program(world: World) -> str:
    names = ", ".join(world.rows[0].inputs)
    made = "".join(
        f"        self.{stage.name} = dspy.Predict({_class_name(stage)})\n"
        for stage in world.stages
    )
    calls = ""
    for stage in world.stages:
        given = ", ".join(f"{name}={name}" for name in stage.inputs)
        called = f"self.{stage.name}({given})"
        last = stage is world.stages[-1]
        calls += (
            f"        return {called}\n"
            if last
            else f"        {stage.output} = {called}.{stage.output}\n"
        )
    return (
        "\n\nclass Program(dspy.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"{made}\n    def forward(self, {names}):\n{calls}"
    )


def _class_name(stage: Stage) -> str:
    return "".join(part.title() for part in stage.name.split("_"))
