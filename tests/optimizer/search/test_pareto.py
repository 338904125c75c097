"""Pareto: which programs are the best on some case, and how parents are drawn from them."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from made_runs import assessed

from pytest_mipro.optimizer.search.assessments import Assessment, drawn_parents, front


def program(number: int, *scores: float, full: bool = False, cases: str = "abcdefgh") -> Assessment:
    by_case = dict(zip(cases, scores, strict=False))
    mean = sum(scores) / len(scores)
    return assessed((number,), mean, number=number, rows=len(scores), scores=by_case, full=full)


def test_a_program_is_on_the_front_where_no_other_one_replaces_it() -> None:
    known = [
        program(0, 1, 1, 0, 0),
        program(1, 0, 0, 1, 0),
        program(2, 1, 0, 0, 0),  # program 0 is the best there too, and elsewhere
        program(3, 0.5, 0.5, 0.5, 0.5),  # alone the best on the last case
        program(4, 0.9, 0.9, 0.9, 0.4),  # good everywhere, the best nowhere
    ]
    assert front(known) == [(0,), (1,), (3,)]


def test_equal_programs_stand_beside_one_another() -> None:
    assert front([program(0, 1, 0), program(1, 1, 0), program(2, 0, 0)]) == [(0,), (1,)]


def test_programs_are_compared_on_the_cases_of_the_last_minibatch() -> None:
    whole = program(0, 0, 1, 0, 1, 1, 1, full=True)
    earlier = program(1, 1, 1, cases="ab")
    stopped = program(2, 1, cases="c")
    later, latest = program(3, 1, 0, cases="cd"), program(4, 0, 0, cases="cd")
    assert front([whole, earlier, stopped, later, latest]) == [(0,), (3,)]


def test_without_minibatches_all_are_compared_on_all_cases() -> None:
    assert front([program(0, 1, 0, full=True), program(1, 0, 1, full=True)]) == [(0,), (1,)]
    assert front([]) == []


scores = st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 4), min_size=1, max_size=8)


@given(scores)
def test_each_case_has_a_best_program_on_the_front(rows: list[tuple[float, ...]]) -> None:
    known = [program(number, *row) for number, row in enumerate(rows)]
    chosen = [known[number] for (number,) in front(known)]
    for case in "abcd":
        assert max(item.scores[case] for item in chosen) == max(item.scores[case] for item in known)


KNOWN = [program(0, 1, 0, 0, 0, 0), program(1, 0, 1, 1, 1, 0), program(2, 0, 0, 0, 0, 1)]


@given(st.integers(0, 50), st.integers(1, 6), st.integers(0, 3))
def test_the_first_parent_is_given_and_the_others_are_of_the_front(
    seed: int, count: int, first: int
) -> None:
    parents = drawn_parents(KNOWN, (first,), count, random.Random(seed))
    assert parents[0] == (first,)
    assert len(set(parents)) == len(parents)
    others = {(0,), (1,), (2,)} - {(first,)}
    assert set(parents[1:]) <= others
    assert len(parents) == min(count, 1 + len(others))
    assert parents == drawn_parents(KNOWN, (first,), count, random.Random(seed))


def test_parents_are_drawn_by_the_cases_that_they_are_best_on() -> None:
    drawn = Counter(drawn_parents(KNOWN, (9,), 2, random.Random(seed))[1] for seed in range(400))
    assert 0.5 < drawn[(1,)] / 400 < 0.7  # three cases of five
    assert abs(drawn[(0,)] - drawn[(2,)]) < 60
