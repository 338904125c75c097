"""The simulation of the decision's error rates: what it promises, in small."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RUNS = 60


@pytest.fixture(scope="module")
def benchmark():
    path = ROOT / "benchmarks" / "decision_error_rates.py"
    spec = importlib.util.spec_from_file_location("decision_error_rates", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def settings(benchmark):
    return benchmark.Setting(50, 20, holdout=True), benchmark.Setting(25, 10, holdout=False)


@pytest.mark.parametrize("world", ["pass/fail", "graded", "graded, total loss in 6 % of the rows"])
def test_no_better_finalists_are_rarely_accepted_and_much_better_ones_often(
    benchmark, settings, world
):
    for setting in settings:
        # 5 %, and two and a half standard errors of so few runs
        assert benchmark.share(RUNS, setting, world, 0.0) <= 0.05 + 0.071, setting
    holdout = settings[0]
    small, large = (benchmark.share(RUNS, holdout, world, lift) for lift in (0.05, 0.20))
    assert large > 0.5
    assert large > small


def test_the_luckiest_of_equals_is_accepted_where_it_does_not_pay(benchmark, monkeypatch):
    setting = benchmark.Setting(25, 20, holdout=False)
    paid = benchmark.share(RUNS, setting, "pass/fail", 0.0)
    decide, evidence = benchmark.decide, benchmark.Evidence
    monkeypatch.setattr(benchmark, "decide", lambda lift, _: decide(lift, evidence(holdout=True)))
    assert paid <= 0.1 < benchmark.share(RUNS, setting, "pass/fail", 0.0)


@pytest.mark.parametrize(("left_out", "brings"), [({"kept": None}, -1), ({"leaders": 1}, 1)])
def test_kept_rows_add_to_the_holdout_and_pay_for_the_choice(
    benchmark, monkeypatch, left_out, brings
):
    setting = benchmark.Setting(40, 10, holdout=True, kept=40)
    assert benchmark.share(RUNS, setting, "pass/fail", 0.0) <= 0.05 + 0.071
    detected = benchmark.share(RUNS, setting, "graded", 0.1)
    evidence = benchmark.Evidence
    monkeypatch.setattr(
        benchmark, "Evidence", lambda holdout, **given: evidence(holdout, **given | left_out)
    )
    assert (benchmark.share(RUNS, setting, "graded", 0.1) - detected) * brings > 0


def test_many_looks_err_as_rarely_as_one(benchmark, monkeypatch):
    setting = benchmark.Setting(50, 20, holdout=True, looks=10)
    spent = benchmark.share(RUNS, setting, "pass/fail", 0.0)
    monkeypatch.setattr(benchmark.Evidence, "level", 0.95)
    assert spent <= 0.05 + 0.071 < benchmark.share(RUNS, setting, "pass/fail", 0.0)


def test_equal_seeds_give_equal_figures(benchmark, settings):
    once, again, other = (
        benchmark.share(RUNS, settings[0], "pass/fail", 0.1, seed) for seed in (0, 0, 1)
    )
    assert once == again
    assert once != other


def test_the_table_is_markdown_of_equal_columns(benchmark, settings, monkeypatch, capsys):
    monkeypatch.setattr(benchmark.measure, "__defaults__", (settings, 0))
    assert benchmark.main(["--runs", "1", "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| world | decided on | no lift | +0.05 | +0.10 | +0.15 | +0.20 |"
    assert {line.count("|") for line in lines} == {8}
    assert len(lines) == 2 + len(settings) * len(benchmark.WORLDS)
