"""What makes two studies one: cases, marks and options, and not how calls run side by side."""

from dataclasses import replace

from optimizer_world import make_rows, make_study

from pytest_mipro.optimizer.study.fingerprint import fingerprint_of
from pytest_mipro.optimizer.study.settings import OptimizerSettings

STUDY = make_study(make_rows(4))


def test_concurrency_is_no_part() -> None:
    first = fingerprint_of(STUDY, OptimizerSettings(), {})
    tests = {name: replace(test, concurrent=False) for name, test in STUDY.tests.items()}
    alone = replace(STUDY, tests=tests)
    assert fingerprint_of(alone, OptimizerSettings(concurrency=1), {}) == first


def test_marks_cases_options_and_the_project_are() -> None:
    first = fingerprint_of(STUDY, OptimizerSettings(), {})
    tests = {name: replace(test, pass_score=0.5) for name, test in STUDY.tests.items()}
    others = (
        fingerprint_of(replace(STUDY, tests=tests), OptimizerSettings(), {}),
        fingerprint_of(replace(STUDY, cases=STUDY.cases[1:]), OptimizerSettings(), {}),
        fingerprint_of(STUDY, OptimizerSettings(seed=1), {}),
        fingerprint_of(STUDY, OptimizerSettings(), {"the lock": "x"}),
    )
    assert all(other != first for other in others)
