"""Which failing cases are attempted again: those of modules that may hold more demos."""

from dataclasses import replace

import pytest
from made_runs import call, run
from optimizer_world import (
    judge,
    make_rows,
    make_settings,
    make_study,
    metric_colour,
    note,
    play,
    sort,
    without,
)
from world_model import MODEL, own_row

from pytest_mipro.optimizer.run.attempts import tests_to_attempt as attempted
from pytest_mipro.optimizer.study.case import Outcome

NOTE, SORT = (module.signature.prompt_path for module in (note, sort))
RUNS = (
    run("a", 0.0, call(note, "a", "A"), test="noted"),
    run("a", 0.0, call(sort, "A", "red"), test="sorted"),
    run("a", 0.0, replace(call(note, "a", "A"), shows_demos=False), test="text"),
    run("a", 0.0, call(judge, "A", True), test="judged"),
)


@pytest.mark.parametrize(
    ("demos", "wanted"),
    [
        ({NOTE: 1, SORT: 4}, {"noted"}),
        ({NOTE: 4}, {"sorted"}),
        ({NOTE: 4, SORT: 4}, set()),
    ],
)
def test_those_of_modules_with_few_demos(demos, wanted):
    assert attempted(RUNS, demos, make_settings()) == wanted
    assert attempted(RUNS, demos, make_settings(parts=without("attempts"))) == set()
    teacher = make_settings(parts=without("attempts"), teacher_model="fake/teacher")
    assert attempted(RUNS, demos, teacher) == {"noted", "sorted"}
    assert attempted(RUNS, demos, replace(teacher, parts=without("demos"))) == set()


def test_no_call_is_made_for_a_test_whose_modules_hold_no_demos():
    def judged(row):
        return Outcome(0.0 if judge(f"[{row.id}] answer") else 1.0)

    tests = {"test_colour": metric_colour, "test_judged": judged}
    played = play(make_study(make_rows(6, 6, 0), tests), rounds=1, max_demos=12)
    hot = {own_row(request) for request in played.client.of(MODEL) if request.sample >= 1000}
    before = played.result.baseline.scores()
    failing = {row for row in played.result.split.train if before[f"test_colour[{row}]"] == 0}
    assert hot
    assert hot == failing
