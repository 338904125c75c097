"""The simulation of the gate's error rates: what its rules and intervals promise, in small."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SIZES = (20, 100)


@pytest.fixture(scope="module")
def benchmark():
    path = ROOT / "benchmarks" / "gate_error_rates.py"
    spec = importlib.util.spec_from_file_location("gate_error_rates", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def shares(benchmark):
    rows = benchmark.measure(60, SIZES)
    return {(row.who, row.what): row.shares for row in rows}


def share_of(shares, who, what, size):
    (found,) = (v for (w, t), v in shares.items() if w.startswith(who) and t.startswith(what))
    return found[size]


def test_equal_seeds_give_equal_figures(benchmark):
    once, again, other = (benchmark.measure(3, (20,), seed=seed) for seed in (0, 0, 1))
    assert once == again
    assert once != other


def test_with_confidence_no_bad_prompt_passes(shares):
    for kind in ("pass/fail", "graded"):
        for size in SIZES:
            name = f"`threshold=0.8, confidence=0.95`, {kind}"
            assert share_of(shares, name, "passes a bad one", size) <= 0.1


def test_what_the_plain_mean_gets_wrong_is_said_to_be_unsure(shares):
    name = "`threshold=0.8` (the plain mean), pass/fail"
    wrong = "fails a good prompt (0.85)"
    assert shares[name, wrong][20] > 0.1
    assert shares[name, f"{wrong} without “too few cases”"][20] <= 0.1


def test_chance_rarely_looks_like_a_regression(shares):
    wrong = "fails an unchanged prompt"
    assert share_of(shares, "`max_regression=0.02`", wrong, 100) <= 0.15
    assert share_of(shares, "a plain fall", wrong, 100) > 0.15


def test_an_allowed_fall_rarely_fails_and_a_large_one_mostly_does(benchmark):
    tally = benchmark.Tally()
    draw = benchmark.np.random.default_rng(1)
    for _ in range(60):
        benchmark.count_regression(tally, draw, 500)
    shares = {(row.who, row.what): row.shares for row in tally.rows()}
    rule = "`max_regression=0.02`"
    # 5 %, and two and a half standard errors of so few runs; against 0 it was 23 %
    assert share_of(shares, rule, "fails a fall of 0.015", 500) <= 0.05 + 0.071
    assert share_of(shares, rule, "passes a fall of 0.10", 500) <= 0.2


def test_only_the_group_rule_sees_a_failing_group(shares):
    wrong = "passes a group at"
    assert share_of(shares, "`group`, pass/fail", wrong, 100) < 0.3
    assert share_of(shares, "the plain mean of these, pass/fail", wrong, 100) > 0.7
    assert share_of(shares, "`group`, graded", "fails 5 good groups", 20) <= 0.1


def test_intervals_cover_and_naive_ones_do_not(shares):
    for (who, what), by_size in shares.items():
        if who.startswith(("Wilson, ", "bounded", "paired", "by row")):
            assert min(by_size.values()) >= 0.85, (who, what)
    assert (
        share_of(shares, "normal, pass/fail", "the interval holds the true score (0.95", 20) < 0.9
    )
    assert share_of(shares, "Wilson of all samples", "the interval holds", 100) < 0.95


def test_the_table_is_markdown_of_equal_columns(benchmark, capsys):
    assert benchmark.main(["--runs", "1", "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| rule or interval | what happens | 20 cases | 50 cases | 200 cases |"
    assert {line.count("|") for line in lines} == {6}
    assert len(lines) > 30
