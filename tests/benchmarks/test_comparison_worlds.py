"""The worlds of the comparison: fair draws, and a program of each kind that is Python."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from benchmarks.comparison.dspy_source import program_source
from benchmarks.comparison.project import pipeline_source
from benchmarks.comparison.world import ROWS, TEST_ROWS
from benchmarks.comparison.worlds import WORLDS

pytestmark = pytest.mark.slow

DRAWS = [(name, seed) for name in WORLDS for seed in (0, 1)]


@pytest.mark.parametrize(("name", "seed"), DRAWS)
def test_no_test_row_is_shown_to_an_optimiser(name, seed):
    world = WORLDS[name](seed)
    rows = {tuple(row.inputs.values()) for row in world.rows}
    tests = {tuple(row.inputs.values()) for row in world.test_rows}
    assert (len(rows), len(tests)) == (ROWS, TEST_ROWS)
    assert not rows & tests


@pytest.mark.parametrize(("name", "seed"), DRAWS)
def test_rows_have_the_program_s_inputs_and_labels(name, seed):
    world = WORLDS[name](seed)
    given = set(world.rows[0].inputs)
    for stage in world.stages:
        assert set(stage.inputs) <= given
        given.add(stage.output)
    counts = Counter(row.answer for row in (*world.rows, *world.test_rows))
    assert set(counts) == set(world.stages[-1].labels)
    assert max(counts.values()) < 2 * min(counts.values())


@pytest.mark.parametrize("name", WORLDS)
def test_a_draw_is_the_same_each_time_and_another_for_another_seed(name):
    assert WORLDS[name](3) == WORLDS[name](3)
    assert WORLDS[name](3).rows != WORLDS[name](4).rows


@pytest.mark.parametrize("name", WORLDS)
def test_both_programs_have_a_module_a_stage_with_the_same_instruction(name):
    world = WORLDS[name](0)
    ours = ast.parse(pipeline_source(world))
    theirs = ast.parse(program_source(world))
    instructions = [stage.instruction for stage in world.stages]
    functions = [node for node in ours.body if isinstance(node, ast.FunctionDef)]
    classes = [node for node in theirs.body if isinstance(node, ast.ClassDef)]
    assert [ast.get_docstring(node) for node in functions[:-1]] == instructions
    assert [ast.get_docstring(node) for node in classes[:-1]] == instructions
    assert (functions[-1].name, classes[-1].name) == ("program", "Program")
