"""Demo sets: how many demos, in which way, and what a round makes of what paid."""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.rounds.demo_pools import demo_digest
from pytest_mipro.optimizer.rounds.demo_sets import (
    WAYS,
    DemoSet,
    DemoSource,
    base_of,
    length_of,
    next_sets,
)
from pytest_mipro.runtime.prompts.prompt import Demo

NONE = DemoSet((), effect=0.0)


def source(
    pool: Sequence[Demo],
    seed: int = 0,
    *,
    failing: Collection[str] = (),
    limit: int = 99_999,
    most: int | None = None,
    scores: Mapping[str, float] | None = None,
) -> DemoSource:
    return DemoSource(pool, failing, limit, most, random.Random(seed), scores=scores or {})


def pool_of(size: int, labels: int = 3) -> list[Demo]:
    return [Demo(f"r{n:02}", {"text": f"word{n}"}, f"label {n % labels}") for n in range(size)]


@pytest.mark.parametrize(
    ("size", "most", "numbers"),
    [
        (40, None, [2, 4, 8, 16, 32, 40]),
        (16, None, [2, 4, 8, 16]),
        (40, 6, [2, 4, 6]),
        (40, 1, [1]),
        (40, 0, [0]),
        (1, None, [1]),
        (0, None, [0]),
    ],
)
def test_numbers_double_up_to_what_fits(size: int, most: int | None, numbers: list[int]) -> None:
    assert source(pool_of(size), most=most).numbers == numbers


def test_the_number_is_bounded_by_the_length_of_the_demos() -> None:
    pool = pool_of(40)
    each = length_of(pool[11])
    assert source(pool, limit=12 * each).numbers == [2, 4, 8, 12]


outputs = st.lists(st.sampled_from(["red", "green", "blue", {"k": [1]}]), max_size=24)


@given(outputs, st.integers(0, 400), st.one_of(st.none(), st.integers(0, 9)), st.integers(0, 3))
def test_sets_hold_distinct_demos_of_the_pool_within_the_limits(
    labels: list[Any], limit: int, most: int | None, seed: int
) -> None:
    pool = [Demo(f"r{n}", {"n": str(n % 20) + "x" * n}, label) for n, label in enumerate(labels)]
    failing = {"r1": "x", "r2": "xx", "gone": "y"}

    def drawn() -> list[DemoSet]:
        made = source(pool, seed, failing=failing, limit=limit, most=most)
        sets = next_sets(made, [NONE], 4)
        if sets:
            paid = [NONE, *(DemoSet(item.demos, item.way, 0.5) for item in sets)]
            sets += next_sets(made, paid, 6)
        return sets

    sets = drawn()
    assert sets == drawn()
    fit = [demo for demo in pool if length_of(demo) <= limit]
    assert bool(sets) == bool(fit and most != 0)
    for item in sets:
        rows = {demo.case for demo in item.demos}
        assert 1 <= len(item.demos) == len(rows) <= (most or len(pool))
        assert all(demo in fit for demo in item.demos)
        assert sum(map(length_of, item.demos)) <= limit


@given(st.sampled_from(WAYS), st.integers(0, 9))
def test_a_larger_set_extends_the_smaller_one(way: str, seed: int) -> None:
    made = source(pool_of(30), seed, failing={"r03"})
    small = made.draw(4, way)
    large = made.draw(8, way, small.demos)
    assert large.demos[:4] == small.demos
    assert len({demo.case for demo in large.demos}) == 8
    assert large.way == way


def test_a_random_set_keeps_the_proportions_of_the_pool() -> None:
    pool = [Demo(f"r{n}", {"n": n}, "common" if n % 10 else f"rare {n}") for n in range(100)]
    drawn = [demo for seed in range(20) for demo in source(pool, seed).draw(10, "random").demos]
    share = Counter(demo.output for demo in drawn)["common"] / len(drawn)
    assert 0.8 < share < 0.97
    cover = source(pool).draw(11, "cover").demos
    assert Counter(demo.output for demo in cover)["common"] == 1


def test_what_fails_today_comes_first() -> None:
    failing = {"r05", "r17", "other"}
    demos = source(pool_of(30), failing=failing).draw(4, "failing").demos
    assert {"r05", "r17"} < {demo.case for demo in demos}


def test_the_first_sets_are_random_and_far_apart_in_number() -> None:
    first, second = next_sets(source(pool_of(40)), [NONE], 2)
    assert (len(first.demos), first.way) == (32, "random")
    assert (len(second.demos), second.way) == (8, "random")


def test_while_nothing_pays_all_numbers_and_ways_get_their_turn() -> None:
    offered = [NONE]
    for _ in range(4):
        drawn = next_sets(source(pool_of(40)), offered, 2)
        offered += [DemoSet(item.demos, item.way, -0.1) for item in drawn]
    assert {item.way for item in offered[1:]} == set(WAYS)
    assert {len(item.demos) for item in offered[1:]} == {4, 8, 16, 32, 40}


def test_several_modules_share_the_first_number_of_demos() -> None:
    one = replace(source(pool_of(40)), modules=4)
    assert len(next_sets(one, [NONE], 1)[0].demos) == 8


def test_a_set_that_paid_is_extended_redrawn_and_halved() -> None:
    made = source(pool_of(40))
    paid = DemoSet(made.draw(8, "random").demos, "random", 0.2)
    larger, half, wider, other = next_sets(made, [NONE, paid], 4)
    assert larger.demos[:8] == paid.demos
    assert (len(larger.demos), larger.way) == (16, "random")
    assert (len(other.demos), other.way) == (8, "failing")
    assert half.demos == paid.demos[:4]
    assert (wider.demos[:8], len(wider.demos), wider.way) == (paid.demos, 16, "failing")


def test_a_set_that_is_on_offer_is_not_made_again() -> None:
    made = source(pool_of(40))
    paid = DemoSet(made.draw(8, "random").demos, "random", 0.2)
    half = DemoSet(paid.demos[:4], "random", 0.1)
    offered = [NONE, half, paid]
    assert base_of(offered) == 2
    sets = [item.demos for item in next_sets(made, offered, 3)]
    assert [len(demos) for demos in sets] == [16, 16, 8]
    assert half.demos not in sets
    few = source(pool_of(2))
    assert len(next_sets(few, [NONE, DemoSet(few.draw(2, "random").demos, effect=0.2)], 8)) < 8


def test_ways_follow_what_they_brought() -> None:
    made = source(pool_of(40))
    brought = {"random": 0.3, "failing": -0.2, "cover": 0.1}
    offered = [NONE, *(DemoSet(made.draw(8, w).demos, w, e) for w, e in brought.items())]
    ways = [item.way for item in next_sets(made, offered, 8)]
    assert list(dict.fromkeys(ways)) == ["random", "cover", "failing"]


def test_more_demos_that_bring_next_to_nothing_do_not_pay_for_their_tokens() -> None:
    made = source(pool_of(40))
    small = DemoSet(made.draw(4, "random").demos, "random", 0.2)
    large = DemoSet(made.draw(8, "random", small.demos).demos, "random", 0.205)
    again, *_ = next_sets(made, [NONE, small, large], 1)
    assert again.demos[:4] == small.demos
    worth = DemoSet(large.demos, "random", 0.25)
    more, *_ = next_sets(made, [NONE, small, worth], 1)
    assert (more.demos[:8], len(more.demos)) == (large.demos, 16)


def test_a_set_shows_equal_inputs_once() -> None:
    pool = [Demo(f"r{n}", {"text": f"word{n // 3}"}, "A") for n in range(12)]
    (first, _) = next_sets(source(pool), [NONE], 2)
    assert [demo.case for demo in sorted(first.demos, key=lambda d: d.case)] == [
        "r0",
        "r3",
        "r6",
        "r9",
    ]


@pytest.mark.parametrize("way", WAYS)
def test_demos_below_the_mean_score_come_last(way: str) -> None:
    pool = pool_of(12)
    scores = {demo_digest(demo): 0.6 if n % 2 else 0.9 for n, demo in enumerate(pool)}
    made = source(pool, scores=scores, failing={"r01", "r03"})
    good = {demo.case for demo in pool[::2]}
    for number in (2, 4, 6):
        assert {demo.case for demo in made.draw(number, way).demos} <= good
    assert good < {demo.case for demo in made.draw(8, way).demos}


def test_a_set_that_paid_goes_on_with_the_better_replies_of_its_rows() -> None:
    pool = pool_of(8)
    shown = tuple(replace(demo, output="once") for demo in pool[:4])
    olds = dict(zip(map(demo_digest, shown), (0.5, 1.0, 0.8, 0.2), strict=True))
    news = {demo_digest(demo): 0.8 for demo in pool[:3]} | {demo_digest(pool[3]): 0.3}
    rest = {demo_digest(demo): 0.7 for demo in pool[4:]}
    made = source(pool, scores=olds | news | rest)  # 0.6875 on average
    assert made.refreshed(shown) == (pool[0], *shown[1:3])
    drawn = made.draw(6, "random", shown).demos
    assert drawn[:3] == (pool[0], *shown[1:3])
    assert len({demo.case for demo in drawn}) == 6
    assert "r03" not in {demo.case for demo in drawn}


def test_better_replies_keep_a_set_within_its_limit() -> None:
    pool = [replace(demo, output="at length " * 9) for demo in pool_of(4)]
    shown = tuple(replace(demo, output="short") for demo in pool)
    scores = dict.fromkeys(map(demo_digest, shown), 0.7)
    limit = 2 * length_of(pool[0])
    drawn = source(pool, scores=scores, limit=limit).draw(4, "random", shown).demos
    assert drawn == tuple(pool[:2])
    assert sum(map(length_of, drawn)) <= limit


def test_without_scores_a_set_goes_on_as_it_is() -> None:
    pool = pool_of(8)
    shown = tuple(replace(demo, output="once") for demo in pool[:4])
    assert source(pool).draw(6, "random", shown).demos[:4] == shown
