"""The optimiser on random labels, in small: it decides nothing on few rows, and finds nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.random_labels import OUTCOMES, main, random_world, run, table
from pytest_mipro.optimizer.study.split import Split

pytestmark = pytest.mark.slow


def test_labels_are_independent_of_texts_and_copies_are_equal():
    (stage,) = random_world(0, 180, 1).stages
    world = random_world(0, 180, 3)
    texts = Counter((row.inputs["letter"], row.answer) for row in world.rows)
    assert set(texts.values()) == {3}
    assert len({row.id for row in world.rows}) == len(world.rows) == 180
    assert {row.answer for row in world.rows} == set(stage.labels)
    told = [f"suppose that {row.answer}" in row.inputs["letter"] for row in world.rows]
    assert sum(told) / len(told) < 0.2  # a text names its own label in 40 % of a true world


@pytest.mark.parametrize(("rows", "most"), [(15, 0), (24, 0), (60, 1)])
def test_what_is_written_on_random_labels_is_rare(rows, most):
    found = [run(seed, rows, 1) for seed in range(6)]
    assert sum(written for _, written in found) <= most
    verdicts = {verdict for verdict, _ in found}
    # with few rows the search does find something: it is the decision that refuses it
    assert ("undecided" in verdicts) == (rows < 25)


def test_copies_of_texts_confirm_no_noise():
    assert sum(run(seed, 180, 3)[1] for seed in range(5)) <= 1


def test_noise_is_written_where_rows_decide_that_the_proposers_saw(monkeypatch):
    monkeypatch.setattr(Split, "decides", True)
    found = [run(seed, 24, 1) for seed in range(4)]
    assert sum(written for _, written in found) >= 2


def test_the_table_tells_shares():
    runs = [("accept", True), ("likely", False), ("likely", False), ("no candidate", False)]
    lines = table({(180, 3): runs}).splitlines()
    assert lines[2] == "| 180 | 3x | 4 | 25 % | 25 % | 0 % | 50 % | 0 % | 0 % | 25 % |"
    assert {line.count("|") for line in lines} == {5 + len(OUTCOMES)}


def test_a_run_prints_a_line_for_each_size(capsys):
    assert main(["--runs", "1", "--rows", "15", "16x2", "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    assert [line[:20] for line in printed.splitlines()[2:]] == [
        "| 15 | 1x | 1 | 0 % ",
        "| 16 | 2x | 1 | 0 % ",
    ]
