"""Bootstrapped and labelled demos: which calls may become demos."""

import random
from dataclasses import replace
from typing import Any

import pytest
from made_runs import call, run
from optimizer_world import judge, note, sort

from pytest_mipro.optimizer.rounds.bootstrap import demo_pools, labelled_demos
from pytest_mipro.optimizer.rounds.demo_pools import DemoPools, demo_digest, score_of
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec
from pytest_mipro.runtime.prompts.prompt import Demo

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
TESTS = {"test": TestSpec("test"), "graded": TestSpec("graded", pass_score=0.7)}


def pools(*runs: CaseRun, rows: str = "abcdefgh", seed: int = 0) -> dict[Any, tuple[Demo, ...]]:
    return dict(demo_pools(runs, set(rows), TESTS, seed).demos)


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


def test_an_output_that_the_prompt_file_could_not_hold_is_no_demo() -> None:
    assert pools(run("a", 1.0, call(judge, "a", "not a truth value"))) == {}


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
    merged = DemoPools(newer).with_older(DemoPools(older))
    assert [demo.output for demo in merged.of(NOTE)] == ["new b", "new c", "old a"]
    assert merged.of(SORT) == older[SORT]
    assert DemoPools(older).with_older(DemoPools()) == DemoPools(older)


def test_of_a_row_s_demos_the_better_one_stays() -> None:
    old, new = Demo("a", {"text": "a"}, "old"), Demo("a", {"text": "a"}, "new")
    older = DemoPools({NOTE: (old,)}, {demo_digest(old): 0.9})
    for score, stays in ((0.8, old), (0.9, new), (1.0, new)):
        merged = DemoPools({NOTE: (new,)}, {demo_digest(new): score}).with_older(older)
        assert merged.of(NOTE) == (stays,)
        assert [score_of(demo, merged.scores) for demo in (old, new)] == [0.9, score]
    right = DemoPools({NOTE: (Demo("a", {"text": "a"}, "label"),)})
    assert older.with_older(right).of(NOTE) == right.of(NOTE)


def test_a_row_lends_the_reply_that_scored_highest_and_its_score() -> None:
    scored = [(0.7, "good"), (0.9, "better"), (0.9, "best"), (0.3, "bad")]
    runs = [
        run("a", score, call(note, "a", said), test="graded", sample=sample)
        for sample, (score, said) in enumerate(scored)
    ]
    lent = {demo_pools(runs, {"a"}, TESTS, seed).of(NOTE)[0].output for seed in range(20)}
    assert lent == {"better", "best"}
    made = demo_pools(runs, {"a"}, TESTS, 0)
    assert [score_of(demo, made.scores) for demo in made.of(NOTE)] == [0.9]


def labelled(*runs: CaseRun, labels: dict[str, str]) -> dict[Any, tuple[Demo, ...]]:
    return dict(labelled_demos(runs, {"test": TestSpec("test", labels=labels)}).demos)


def test_labels_lend_demos_of_cases_that_fail() -> None:
    failing = run(
        "a", 0.0, call(note, "a", "A"), call(sort, "A", "blue"), columns={"colour": "red"}
    )
    for name in ("sort", sort.signature.name):
        made = labelled(failing, labels={name: "colour"})
        assert made == {SORT: (Demo("a", {"note": "A"}, "red"),)}


def test_a_reply_that_could_not_be_read_is_where_a_label_is_shown() -> None:
    unread = replace(call(sort, "A", None, error="can't be used"), unreadable=True)
    failing = run("a", 0.0, unread, columns={"colour": "red"})
    assert pools(failing) == {}
    assert labelled(failing, labels={"sort": "colour"}) == {
        SORT: (Demo("a", {"note": "A"}, "red"),)
    }


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
