"""The comparison of optimisers: its tables and chart are right, and one small run goes through."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.comparison import __main__ as comparison
from benchmarks.comparison import results
from benchmarks.comparison.chart import svg
from benchmarks.comparison.estimates import across
from benchmarks.comparison.measuring import Measured
from benchmarks.comparison.optimisers import OPTIMISERS
from benchmarks.comparison.results import Job, Result
from benchmarks.comparison.running import missing
from benchmarks.comparison.table import tables

pytestmark = pytest.mark.slow


def result(optimiser, seed, after, world="named", calls=100, before=2):
    """Make a result on ten test rows."""

    def marks(right):
        return tuple(int(number < right) for number in range(10))

    measured = Measured(marks(before), marks(after), calls, 900, 100, 20, 1.5, "better")
    return Result(Job(world, seed, optimiser), measured)


SEVERAL = [
    result("mipro-light", 0, 5),
    result("mipro-light", 1, 7),
    result("mipro-light", 0, 9, "opaque", calls=300),
    result("mipro-light", 1, 9, "opaque", calls=300),
    result("dspy-bootstrap", 0, 4, calls=400),
    result("dspy-bootstrap", 1, 4, calls=400),
]


def test_an_interval_of_one_world_is_student_s_t_over_its_seeds():
    found = across({"a": [0.5, 0.6, 0.7]})
    assert found.mean == pytest.approx(0.6)
    assert found.half == pytest.approx(4.3027 * 0.1 / math.sqrt(3), abs=1e-4)


def test_worlds_weigh_alike_and_their_errors_add_up():
    found = across({"a": [0.5, 0.6, 0.7], "b": [0.0, 0.1, 0.2]})
    assert found.mean == pytest.approx(0.35)
    error = math.sqrt(2 * 0.01 / 3) / 2  # with 2 + 2 degrees of freedom
    assert found.half == pytest.approx(2.7764 * error, abs=1e-4)


def test_one_seed_has_no_interval():
    assert across({"a": [0.5], "b": [0.1, 0.2]}).half is None


def test_the_table_tells_means_over_worlds():
    line = next(line for line in tables(SEVERAL).splitlines() if "light" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    title, runs, before, after, lift, calls, tokens, seconds = cells
    assert (title, runs, before, lift) == ("pytest-mipro light", "4", "0.200", "+0.550")
    assert after.startswith("0.750 (")
    assert (calls, tokens, seconds) == ("200", "1,000", "1.5")


def test_the_table_tells_each_world_and_pairs_on_the_same_draws():
    lines = tables(SEVERAL).splitlines()
    assert "| optimiser | named | opaque |" in lines
    assert any("| 0.900 (+0.70 to +0.70) |" in line for line in lines)
    pair = next(line for line in lines if "light | DSPy" in line)
    assert "+0.200 (" in pair
    assert pair.endswith("| 0.25 |")


def test_losses_are_told():
    worse = [result("mipro-light", seed, 1) for seed in (0, 1)]
    better = [result("dspy-bootstrap", seed, 6) for seed in (0, 1)]
    told = tables([*worse, *better])
    assert "| -0.100 |" in told
    assert "-0.500 (-0.50 to -0.50)" in told


def test_the_chart_has_a_point_a_world_and_one_for_the_mean():
    root = ET.fromstring(svg(SEVERAL))
    titles = [e.text for e in root.iter() if e.tag.endswith("title")]
    assert "pytest-mipro light, opaque: 0.900 with 300 calls" in titles
    assert "pytest-mipro light: 0.750 with 200 calls" in titles
    assert "DSPy BootstrapFewShotWithRandomSearch: 0.400 with 400 calls" in titles


def test_results_are_read_as_they_were_written_and_a_cut_line_is_left_out(tmp_path):
    path = tmp_path / "new" / "results.jsonl"
    for one in SEVERAL:
        results.append(path, one)
    with path.open("a") as file:
        file.write('{"world": "named", "se')
    assert results.read(path) == SEVERAL
    assert results.read(tmp_path / "none.jsonl") == []


def test_only_what_is_missing_is_run():
    optimisers = [one.name for one in OPTIMISERS]
    jobs = missing(["named", "opaque"], range(2), optimisers, SEVERAL)
    assert len(jobs) == 4 * len(OPTIMISERS) - len(SEVERAL)
    assert not {one.job for one in SEVERAL} & set(jobs)


def test_every_optimiser_is_set_up_where_it_runs():
    folder = Path(results.__file__).parent
    for optimiser in OPTIMISERS:
        name = "ours" if optimiser.kind == "own" else "peers"
        source = (folder / f"{name}.py").read_text()  # the peers' packages are not installed here
        assert f'"{optimiser.name}": ' in source


def test_one_world_goes_through_and_is_not_run_twice(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_mipro.plugin.hooks")
    command = [
        *("--worlds", "opaque", "--seeds", "1", "--optimisers", "mipro-brief"),
        *("--folder", str(tmp_path)),
    ]
    assert comparison.main(command) == 0
    (one,) = results.read(tmp_path / "results.jsonl")
    assert len(one.measured.before) == len(one.measured.after) == 300
    assert one.after > one.before + 0.2
    assert 300 < one.measured.calls < 3000
    assert one.measured.test_calls >= 600
    assert one.tokens > one.measured.calls
    assert "pytest-mipro light, 6 trials" in capsys.readouterr().out
    assert (tmp_path / "comparison.svg").read_text().startswith("<svg")
    comparison.main(command)
    assert len(results.read(tmp_path / "results.jsonl")) == 1
    assert "/1 " not in capsys.readouterr().err
