"""The split: a partition by hash that tags bend and nothing else moves; minibatches of it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.study.split import (
    RowTag,
    minibatch,
    place_of,
    split_rows,
)

keys = st.text(min_size=1, max_size=6)
tags = st.sampled_from([None, None, None, "train", "validation", "holdout"])
tagged = st.dictionaries(keys, tags, max_size=60)

PLACES = ["holdout", "train", "train", "validation", "validation", "train", "validation", "holdout"]


def tag(rows: dict[str, str | None]) -> list[RowTag]:
    return [RowTag(row, place) for row, place in rows.items()]


def plain(n: int) -> list[RowTag]:
    return [RowTag(f"row-{i}") for i in range(n)]


@given(tagged, st.text(max_size=4), st.integers(0, 12))
def test_every_row_has_its_place(rows: dict[str, str | None], salt: str, least: int) -> None:
    try:
        split = split_rows(tag(rows), salt, min_holdout=least)
    except ConfigurationError:
        assert set(rows.values()) != {None}  # only tags can leave a part without rows
        return
    assert {*split.train, *split.validation, *split.holdout} == set(rows)
    assert not set(split.holdout) & {*split.train, *split.validation}
    assert split.shared == bool(set(split.train) & set(split.validation))
    assert not split.holdout or len(split.holdout) >= least
    assert split.confirmed == bool(split.holdout)
    assert bool(split.train) == bool(split.validation) == bool(rows)
    for part in (split.train, split.validation, split.holdout):
        assert list(part) == sorted(set(part))


@given(tagged, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: dict[str, str | None], random: object) -> None:
    order = tag(rows)
    shuffled = list(order)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    try:
        split = split_rows(order, "salt", min_holdout=3)
    except ConfigurationError:
        return
    assert split_rows([*shuffled, *order], "salt", min_holdout=3) == split


@given(st.sets(keys, min_size=1), st.integers(0, 200))
def test_rows_added_move_no_row(added: set[str], n: int) -> None:
    before = split_rows(plain(120 + n), "salt", min_holdout=10)
    after = split_rows([*plain(120 + n), *map(RowTag, sorted(added))], "salt", min_holdout=10)
    assert set(before.train) <= set(after.train)
    assert set(before.validation) <= set(after.validation)
    assert set(before.holdout) <= set(after.holdout)


def test_tags_are_honoured() -> None:
    rows = [RowTag(f"t{i}", "train") for i in range(40)]
    rows += [RowTag(f"v{i}", "validation") for i in range(40)]
    rows += [RowTag(f"h{i}", "holdout") for i in range(40)]
    split = split_rows(rows, "salt")
    assert [{row[0] for row in part} for part in (split.train, split.validation)] == [{"t"}, {"v"}]
    assert len(split.holdout) == 40
    assert not split.shared


def test_the_salt_moves_rows_and_the_fractions_hold() -> None:
    rows = plain(2000)
    one, other = split_rows(rows, "a"), split_rows(rows, "b")
    assert one != other
    assert len(one.train) == pytest.approx(600, abs=80)
    assert len(one.validation) == pytest.approx(800, abs=80)
    assert len(one.holdout) == pytest.approx(600, abs=80)


def test_the_place_of_a_row_is_part_of_the_lock_and_never_changes() -> None:
    # Literal values: a change of the hash would move every committed study's rows.
    assert [place_of(f"row-{i}", "tests/test_triage.py") for i in range(8)] == PLACES


def test_a_small_holdout_joins_validation_and_never_training() -> None:
    large, small = split_rows(plain(60), "s", min_holdout=5), split_rows(plain(60), "s")
    assert large.holdout
    assert large.confirmed
    assert not small.confirmed
    assert set(small.validation) == {*large.validation, *large.holdout}
    assert small.train == large.train


def test_few_rows_are_shared() -> None:
    split = split_rows(plain(24), "salt")
    assert split.train == split.validation == tuple(sorted(row.row for row in plain(24)))
    assert split.shared
    assert not split_rows(plain(25), "salt").shared


def test_few_rows_keep_a_holdout_that_is_wanted_small() -> None:
    split = split_rows(plain(24), "salt", min_holdout=2)
    assert split.confirmed
    assert split.train == split.validation
    assert len(split.train) + len(split.holdout) == 24


def test_a_holdout_that_leaves_no_other_rows_is_given_up() -> None:
    rows = [row for row in plain(40) if place_of(row.row, "salt") == "holdout"]
    split = split_rows(rows, "salt", min_holdout=2)
    assert len(rows) > 2
    assert split.holdout == ()
    assert split.train == split.validation == tuple(sorted(row.row for row in rows))


def test_a_row_tagged_holdout_is_not_trained_on_even_when_it_joins_validation() -> None:
    rows = [*plain(8), RowTag("h", "holdout"), RowTag("v", "validation"), RowTag("t", "train")]
    split = split_rows(rows, "salt")
    assert {"h", "v"} <= set(split.validation)
    assert not {"h", "v"} & set(split.train)
    assert "t" not in split.validation


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([RowTag("7", "test")], r"row '7'.*train, validation or holdout, got 'test'"),
        ([RowTag("7", "train"), RowTag("7", "holdout")], r"row '7' is tagged.*give it one"),
        ([RowTag(str(i), "validation") for i in range(30)], r"leaves none of 30 rows for train"),
        ([RowTag("7", "train")], r"leaves none of 1 rows for validation"),
    ],
)
def test_tags_that_can_not_be_followed(rows: Sequence[RowTag], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        split_rows(rows, "salt")


strata = st.dictionaries(
    keys, st.sets(st.sampled_from(["a", "b", "c", "d"]), min_size=1).map(frozenset), max_size=40
)


@given(strata, st.integers(0, 3), st.integers(0, 3))
def test_the_order_holds_every_row_once_and_every_test_early(
    rows: dict[str, frozenset[str]], seed: int, draw: int
) -> None:
    order = minibatch(rows, len(rows), seed, draw)
    assert sorted(order) == sorted(rows)
    assert order == minibatch(dict(reversed(rows.items())), len(rows), seed, draw)
    tests = set().union(*rows.values()) if rows else set()
    batch = minibatch(rows, len(tests), seed, draw)
    assert len(batch) <= len(tests)
    assert set().union(*(rows[row] for row in batch)) == tests if rows else not batch


def test_a_rare_test_is_in_the_smallest_minibatch() -> None:
    rows = {f"q{i}": {"queue"} for i in range(80)} | {"r": {"reply"}}
    for draw in range(5):
        assert "r" in minibatch(rows, 2, seed=0, draw=draw)


def test_minibatches_are_stratified_nested_and_differ_by_seed_and_draw() -> None:
    rows = {f"q{i}": {"queue"} for i in range(80)} | {f"r{i}": {"reply"} for i in range(20)}
    batch = minibatch(rows, 20, seed=0)
    assert sum(row.startswith("q") for row in batch) == pytest.approx(16, abs=1)
    assert minibatch(rows, 35, seed=0)[:20] == batch
    assert len({batch, minibatch(rows, 20, seed=1), minibatch(rows, 20, seed=0, draw=1)}) == 3
    assert len(minibatch(rows, 500, seed=0)) == 100
    assert minibatch(rows, 0, seed=0) == ()
