"""Credit: which modules lift, which ones failing cases reach, and their shares of proposals."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import assessed, call, run
from optimizer_world import note, sort

from pytest_mipro.optimizer.search.assessments import Record
from pytest_mipro.optimizer.search.credit_assignment import (
    allocate_proposals,
    failure_shares,
    module_lifts,
)
from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
TESTS = {"test": TestSpec("test"), "graded": TestSpec("graded", pass_score=0.7)}


def record(*known: tuple[Assignment, float]) -> Record:
    return Record(
        {item: assessed(item, score, number=n, rows=60) for n, (item, score) in enumerate(known)}
    )


BASE = (0, 0, 0, 0)


def test_a_modules_credit_is_what_its_best_candidate_lifts_beside_equal_partners() -> None:
    known = record((BASE, 0.5), ((1, 0, 0, 0), 0.55), ((2, 0, 0, 0), 0.7), ((0, 0, 0, 1), 0.4))
    first, second = module_lifts(known, BASE)
    assert 0.1 < first < 0.2  # 0.2, shrunk by its rows
    assert second == 0.0


def test_a_lift_is_credited_to_the_module_that_it_came_with() -> None:
    known = record((BASE, 0.5), ((1, 0, 1, 0), 0.8), ((1, 0, 0, 0), 0.5), ((0, 0, 1, 0), 0.8))
    first, second = module_lifts(known, BASE)
    assert second > 0.2
    assert first < 0.03


def test_nothing_known_is_no_credit() -> None:
    assert module_lifts(record((BASE, 0.5)), BASE) == [0.0, 0.0]


def test_a_program_that_was_dropped_after_all_earns_none() -> None:
    known = record((BASE, 0.5), ((1, 0, 0, 0), 0.9))
    known = known.with_dropped((1, 0, 0, 0))
    assert module_lifts(known, BASE) == [0.0, 0.0]


def reached(*runs: CaseRun) -> list[float]:
    return failure_shares(runs, [NOTE, SORT], TESTS)


def test_reach_is_the_share_of_failing_runs_that_call_a_module() -> None:
    failing = [
        run("a", 0.0, call(note, "a", "A"), call(sort, "A", "red")),
        run("b", 0.5, call(note, "b", "B")),
        run("c", 0.0, call(note, "c", "C")),
        run("d", 0.0, call(note, "d", "D"), call(sort, "D", "red"), call(sort, "D2", "red")),
    ]
    passing = run("e", 1.0, call(sort, "E", "red"))
    broken = run("f", None, call(sort, "F", "red"))
    assert reached(*failing, passing, broken) == [1.0, 0.5]


def test_where_nothing_fails_all_runs_tell_the_reach() -> None:
    assert reached(run("a", 1.0, call(note, "a", "A")), run("b", 1.0)) == [0.5, 0.0]
    assert reached() == [0.0, 0.0]


parts = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.3, 1.0])), max_size=6)


@given(st.integers(0, 40), parts)
def test_all_proposals_are_shared_out_among_the_modules_that_are_reached(
    count: int, modules: list[tuple[float, float]]
) -> None:
    lifts, reaching = [lift for lift, _ in modules], [part for _, part in modules]
    given_ = allocate_proposals(count, lifts, reaching)
    some = sum(part > 0 for part in reaching)
    assert sum(given_) == (max(count, some) if some else 0)
    assert [share > 0 for share in given_] == [part > 0 for part in reaching]


@given(st.integers(0, 40), parts, st.data())
def test_more_credit_or_reach_is_no_smaller_share(
    count: int, modules: list[tuple[float, float]], data: st.DataObject
) -> None:
    if not modules:
        return
    place = data.draw(st.integers(0, len(modules) - 1))
    lift, part = modules[place]
    more = [*modules[:place], (min(1.0, lift + 0.3), part), *modules[place + 1 :]]
    before = allocate_proposals(count, *map(list, zip(*modules, strict=True)))
    after = allocate_proposals(count, *map(list, zip(*more, strict=True)))
    assert after[place] >= before[place]


@pytest.mark.parametrize(
    ("lifts", "reaching", "expected"),
    [
        ([0.0, 0.0], [1.0, 1.0], [4, 4]),
        ([0.1, 0.0], [1.0, 1.0], [6, 2]),
        ([0.0, 0.0], [1.0, 0.25], [7, 1]),
        ([0.5, 0.0], [0.0, 0.1], [0, 8]),
        ([0.0, 0.0], [0.0, 0.0], [0, 0]),
    ],
)
def test_shares_by_hand(lifts: list[float], reaching: list[float], expected: list[int]) -> None:
    assert allocate_proposals(8, lifts, reaching) == expected


def test_a_run_that_reaches_its_tests_pass_score_does_not_fail() -> None:
    runs = [
        run("a", 0.7, call(note, "a", "A"), test="graded"),
        run("b", 0.6, call(sort, "B", "red"), test="graded"),
    ]
    assert reached(*runs) == [0.0, 1.0]


def test_paths_are_asked_for_in_their_order() -> None:
    runs = [run("a", 0.0, call(sort, "A", "red"))]
    assert failure_shares(runs, [Path("other"), SORT], TESTS) == [0.0, 1.0]
