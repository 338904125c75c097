"""The prior of learning to propose: lessons of whole runs, and the effects that they tell."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.comparison.plan_prior import taught
from benchmarks.comparison.quick import Setup, lessons_of
from pytest_mipro.optimizer.proposing.proposal_plan import Lesson

SETUP = Setup("light", "tpe", ("learning", "history"), labels=True)


def test_a_run_teaches_and_lessons_of_one_choice_show_in_its_effect() -> None:
    lessons = lessons_of("opaque", 0, SETUP)
    assert len(lessons) > 3
    assert {lesson.rows > 0 for lesson in lessons} == {True}
    plan = lessons[0].plan
    told = [replace(lesson, lift=0.0) for lesson in lessons]
    told += [Lesson(replace(plan, strategy="history"), 0.4, 50), Lesson(plan, 0.0, 50)] * 9
    effects = {pair: effect for pair, effect, _ in taught(told, SETUP).effects()}
    assert max(effects, key=lambda pair: effects[pair]) == ("strategy", "history")
    before = {pair: error for pair, _, error in taught([], SETUP).effects()}
    after = {pair: error for pair, _, error in taught(told, SETUP).effects()}
    assert after["strategy", "history"] < before["strategy", "history"]
