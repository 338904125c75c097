"""Bootstrapped demos: which calls may become demos, and how sets are drawn from them."""

import json
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import call, run
from optimizer_world import judge, note, sort

from pytest_mipro.optimizer.rounds.bootstrap import (
    demo_pools,
    demo_sets,
    labelled_demos,
    merged_pools,
)
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec
from pytest_mipro.runtime.prompts.prompt import Demo

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
TESTS = {"test": TestSpec("test"), "graded": TestSpec("graded", pass_score=0.7)}


def pools(*runs: CaseRun, rows: str = "abcdefgh", seed: int = 0) -> dict[Any, tuple[Demo, ...]]:
    return demo_pools(runs, set(rows), TESTS, seed)


def test_a_cut_text_is_no_demo_and_a_cut_label_is() -> None:
    note_call, sort_call = call(note, "a", "A"), call(sort, "A", "red")
    made = pools(run("a", 1.0, replace(note_call, cut=True), replace(sort_call, cut=True)))
    assert set(made) == {SORT}


def test_only_passing_cases_of_training_rows_lend_demos() -> None:
    made = pools(
        run("a", 1.0, call(note, "a", "A"), call(sort, "A", "red")),
        run("b", 0.0, call(note, "b", "B"), call(sort, "B", "red")),
        run("c", None, call(note, "c", "C")),
        run("d", 1.0, call(note, "d", "D"), demo=False),
        run("z", 1.0, call(note, "z", "Z")),
        run("e", 0.7, call(note, "e", "E"), test="graded"),
        run("f", 0.69, call(note, "f", "F"), test="graded"),
        run("g", 0.99, call(note, "g", "G")),
    )
    assert {demo.case for demo in made[NOTE]} == {"a", "e"}
    assert made[SORT] == (Demo("a", {"note": "A"}, "red"),)


def test_a_module_reached_on_some_cases_only_has_a_pool_of_these() -> None:
    made = pools(
        run("a", 1.0, call(note, "a", "A")),
        run("b", 1.0, call(note, "b", "B"), call(judge, "B", True)),
    )
    assert len(made[NOTE]) == 2
    assert [demo.case for demo in made[judge.signature.prompt_path]] == ["b"]
    assert SORT not in made


def test_a_row_lends_demos_where_all_tests_of_the_module_pass_on_the_same_replies() -> None:
    made = pools(
        run("a", 0.0, call(note, "a", "A"), call(sort, "A", "red")),
        run("a", 0.9, call(note, "a", "A"), call(judge, "A", True), test="graded"),  # too lenient
        run("b", 1.0, call(note, "b", "B")),
        run("b", 0.7, call(note, "b", "B"), test="graded"),
        run("c", 1.0, call(note, "c", "C")),
        run("c", 0.0, call(sort, "C", "red"), test="graded"),  # it doesn't call `note`
    )
    assert {demo.case for demo in made[NOTE]} == {"b", "c"}
    assert SORT not in made
    assert [demo.case for demo in made[judge.signature.prompt_path]] == ["a"]


def test_a_call_that_failed_is_no_demo_although_its_case_passed() -> None:
    assert pools(run("a", 1.0, call(note, "a", None, error="refused"))).get(NOTE, ()) == ()


def test_the_reasoning_goes_with_the_demo() -> None:
    made = pools(run("a", 1.0, call(note, "a", "A", reasoning="because")))
    assert made[NOTE] == (Demo("a", {"text": "a"}, "A", "because"),)


def test_one_demo_a_row_picked_by_the_seed_whatever_the_order() -> None:
    calls = [call(note, f"part {n}", f"P{n}") for n in range(6)]
    shuffled = random.Random(1).sample(calls, 6)
    picked = set()
    for seed in range(12):
        made = pools(run("a", 1.0, *calls), seed=seed)[NOTE]
        assert len(made) == 1
        assert pools(run("a", 1.0, *shuffled), seed=seed)[NOTE] == made
        assert pools(run("a", 1.0, *calls), seed=seed)[NOTE] == made
        picked.add(made[0].output)
    assert len(picked) > 2
    repeats = [run("a", 1.0, call(note, "a", "A"), sample=sample) for sample in range(3)]
    assert len(pools(*repeats)[NOTE]) == 1


def test_rows_where_all_tests_of_the_module_do_well_come_first() -> None:
    made = pools(
        run("a", 1.0, call(note, "a", "A")),
        run("a", 0.7, call(note, "a", "A"), test="graded"),
        run("b", 1.0, call(note, "b", "B")),
        run("b", 0.9, call(note, "b", "B"), test="graded"),
        run("c", 1.0, call(note, "c", "C")),
    )
    assert [demo.case for demo in made[NOTE]] == ["c", "b", "a"]


def test_merged_pools_keep_one_demo_a_row_the_newer_one_first() -> None:
    newer = {NOTE: (Demo("b", {}, "new b"), Demo("c", {}, "new c"))}
    older = {NOTE: (Demo("a", {}, "old a"), Demo("b", {}, "old b")), SORT: (Demo("a", {}, "s"),)}
    merged = merged_pools(newer, older)
    assert [demo.output for demo in merged[NOTE]] == ["new b", "new c", "old a"]
    assert merged[SORT] == older[SORT]
    assert merged_pools(older, {}) == older


outputs = st.lists(st.sampled_from(["red", "green", "blue", {"k": [1]}]), max_size=14)


@given(outputs, st.integers(0, 6), st.integers(0, 9), st.integers(0, 3))
def test_sets_hold_distinct_demos_of_the_pool_within_the_limit(
    labels: list[Any], count: int, max_demos: int, seed: int
) -> None:
    pool = [Demo(f"r{n}", {"n": n}, label) for n, label in enumerate(labels)]
    sets = demo_sets(pool, count, max_demos, random.Random(seed), 9_999)
    largest = min(len(pool), max_demos)
    assert len(sets) == (count if largest else 0)
    assert sets == demo_sets(pool, count, max_demos, random.Random(seed), 9_999)
    for index, demos in enumerate(sets):
        assert 1 <= len(demos) <= largest
        assert len(demos) == largest or index % 2
        assert len({demo.case for demo in demos}) == len(demos)
        assert all(demo in pool for demo in demos)
        taken = Counter(str(demo.output) for demo in demos)
        there = Counter(str(demo.output) for demo in pool)
        # No label comes again before every label that is left came as often.
        assert all(
            taken[label] == there[label] or taken[label] >= max(taken.values()) - 1
            for label in there
        )


def test_sets_differ_in_what_they_show_and_in_size() -> None:
    pool = [Demo(f"r{n}", {"n": n}, f"label {n % 2}") for n in range(30)]
    sets = demo_sets(pool, 20, 8, random.Random(0), 9_999)
    assert len({tuple(demo.case for demo in demos) for demos in sets}) > 15
    assert len({len(demos) for demos in sets}) > 3


texts = st.lists(st.text("ab", max_size=40), max_size=12)


@given(texts, st.integers(0, 200), st.integers(0, 3))
def test_no_set_is_longer_than_its_limit(values: list[str], limit: int, seed: int) -> None:
    pool = [Demo(f"r{n}", {"text": value}, value, "why") for n, value in enumerate(values)]

    def length(demo: Demo) -> int:
        return len(json.dumps([dict(demo.inputs), demo.output, demo.reasoning]))

    sets = demo_sets(pool, 4, 6, random.Random(seed), limit)
    assert all(demos and sum(map(length, demos)) <= limit for demos in sets)
    fit = [demo for demo in pool if length(demo) <= limit]
    assert bool(sets) == bool(fit)
    assert all(demo in fit for demos in sets for demo in demos)


def test_a_long_demo_is_passed_over_for_shorter_ones() -> None:
    pool = [
        Demo("long", {"text": "x" * 500}, "A"),
        *(Demo(f"{n}", {"n": n}, "B") for n in range(3)),
    ]
    sets = demo_sets(pool, 8, 4, random.Random(0), 100)
    assert max(len(demos) for demos in sets) == 3
    assert all(demo.case != "long" for demos in sets for demo in demos)


@pytest.mark.parametrize("seed", range(3))
def test_a_set_as_large_as_the_labels_shows_each_of_them(seed: int) -> None:
    pool = [Demo(f"a{n}", {"n": n}, "common") for n in range(50)]
    pool += [Demo("b", {"n": -1}, "rare"), Demo("c", {"n": -2}, "rarer")]
    (demos, *_) = demo_sets(pool, 2, 3, random.Random(seed), 9_999)
    assert {demo.output for demo in demos} == {"common", "rare", "rarer"}


def test_a_set_shows_equal_inputs_once() -> None:
    pool = [Demo(f"r{n}", {"text": f"text {n // 3}"}, "A" if n % 3 else "B") for n in range(9)]
    for demos in demo_sets(pool, 6, 8, random.Random(0), 9_999):
        assert {demo.case for demo in demos} <= {"r0", "r3", "r6"}


def labelled(*runs: CaseRun, labels: dict[str, str]) -> dict[Any, tuple[Demo, ...]]:
    return labelled_demos(runs, {"test": TestSpec("test", labels=labels)})


def test_labels_lend_demos_of_cases_that_fail() -> None:
    failing = run(
        "a", 0.0, call(note, "a", "A"), call(sort, "A", "blue"), columns={"colour": "red"}
    )
    for name in ("sort", sort.signature.name):
        made = labelled(failing, labels={name: "colour"})
        assert made == {SORT: (Demo("a", {"note": "A"}, "red"),)}


def test_a_label_of_another_spelling_is_shown_in_the_modules_own() -> None:
    failing = run("a", 0.0, call(sort, "A", "blue"), columns={"colour": "Red"})
    made = labelled(failing, labels={"sort": "colour"})
    assert made == {SORT: (Demo("a", {"note": "A"}, "red"),)}


@pytest.mark.parametrize(
    "other",
    [
        run("a", 0.0, call(sort, "A", "blue"), columns={"colour": "violet"}),
        run("a", 0.0, call(sort, "A", "blue"), columns={"shade": "red"}),
        run("a", 0.0, call(sort, "A", "blue", error="cut"), columns={"colour": "red"}),
        run("a", 0.0, call(sort, "A", "blue"), columns={"colour": "red"}, demo=False),
        run("a", 0.0, call(note, "A", "blue"), columns={"colour": "red"}),
    ],
)
def test_labels_without_the_outputs_type_or_a_call_lend_nothing(other: CaseRun) -> None:
    assert labelled(other, labels={"sort": "colour"}) == {}
