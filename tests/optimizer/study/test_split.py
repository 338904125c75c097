"""The split: a ranking by content, cut at exact sizes, that tags bend; minibatches of it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.study.identity import RowTag, content_digest
from pytest_mipro.optimizer.study.split import minibatch, split_rows

keys = st.text(min_size=1, max_size=6)
tags = st.sampled_from([None, None, None, "train", "validation", "holdout"])
tagged = st.dictionaries(keys, tags, max_size=60)


def tag(rows: dict[str, str | None]) -> list[RowTag]:
    return [RowTag(row, place) for row, place in rows.items()]


def plain(n: int) -> list[RowTag]:
    return [RowTag(f"row-{i}") for i in range(n)]


@given(tagged, st.integers(0, 12))
def test_every_row_has_its_place(rows: dict[str, str | None], least: int) -> None:
    try:
        split = split_rows(tag(rows), min_holdout=least)
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
        split = split_rows(order, min_holdout=3)
    except ConfigurationError:
        return
    assert split_rows([*shuffled, *order], min_holdout=3) == split


@given(st.integers(25, 3000))
def test_the_sizes_are_exact_whatever_the_rows_are(n: int) -> None:
    split = split_rows(plain(n), min_holdout=1)
    sizes = len(split.train), len(split.validation), len(split.holdout)
    assert sum(sizes) == n
    for size, share in zip(sizes, (0.2, 0.4, 0.4), strict=True):
        assert abs(size - share * n) <= 1


def test_one_hundred_rows_can_confirm_a_result_whatever_they_are() -> None:
    for name in "abcdef":
        rows = [RowTag(f"{name}.jsonl:{i}", content=content_digest([name, i])) for i in range(100)]
        assert len(split_rows(rows).holdout) == 40


def test_rows_added_move_few_rows() -> None:
    before = split_rows(plain(200), min_holdout=10)
    after = split_rows(plain(210), min_holdout=10)
    moved = 0
    for part in ("train", "validation", "holdout"):
        moved += len(set(getattr(before, part)) - set(getattr(after, part)))
    assert moved <= 10


def test_names_move_no_row() -> None:
    contents = [content_digest(i) for i in range(120)]
    one = split_rows(RowTag(f"a-{i:03}", content=text) for i, text in enumerate(contents))
    other = split_rows(RowTag(f"b-{i:03}", content=text) for i, text in enumerate(contents))
    for part in ("train", "validation", "holdout"):
        names = [row[2:] for row in getattr(one, part)]
        assert names == [row[2:] for row in getattr(other, part)]


def test_equal_rows_and_rows_of_a_cluster_have_one_place() -> None:
    rows = [RowTag(f"{twin}{i}", test="t", seen=f"s{i}") for i in range(150) for twin in "ab"]
    rows += [RowTag(f"c{i}", cluster=f"customer {i // 4}") for i in range(80)]
    split = split_rows(rows)
    assert len(set(split.units.values())) == 170
    assert split.deciding == 68
    for part in (split.train, split.validation, split.holdout):
        members = set(part)
        assert {f"b{row[1:]}" for row in members if row[0] == "a"} <= members
        assert all(
            {f"c{4 * (int(row[1:]) // 4) + k}" for k in range(4)} <= members
            for row in members
            if row[0] == "c"
        )


def test_few_units_of_many_rows_can_not_confirm_a_result() -> None:
    split = split_rows(RowTag(f"r{i}", cluster=str(i % 20)) for i in range(400))
    assert not split.confirmed
    assert split.shared


def test_tags_are_honoured_and_count_towards_the_sizes() -> None:
    rows = [RowTag(f"t{i}", "train") for i in range(40)]
    rows += [RowTag(f"v{i}", "validation") for i in range(40)]
    rows += [RowTag(f"h{i}", "holdout") for i in range(40)]
    split = split_rows(rows)
    assert [{row[0] for row in part} for part in (split.train, split.validation)] == [{"t"}, {"v"}]
    assert len(split.holdout) == 40
    assert not split.shared
    more = split_rows([RowTag(f"h{i}", "holdout") for i in range(20)] + plain(80))
    assert len(more.holdout) == 40
    assert sum(row.startswith("h") for row in more.holdout) == 20


def test_the_ranking_is_stable() -> None:
    # Literal values: a change of the ranking would move every committed study's rows.
    assert split_rows(plain(10), min_holdout=1).holdout == ("row-2", "row-5", "row-6", "row-7")


def test_a_small_holdout_joins_validation_and_never_training() -> None:
    large, small = split_rows(plain(60), min_holdout=5), split_rows(plain(60))
    assert large.holdout
    assert large.confirmed
    assert not small.confirmed
    assert set(small.validation) == {*large.validation, *large.holdout}
    assert small.train == large.train


def test_few_rows_are_shared() -> None:
    split = split_rows(plain(24))
    assert split.train == split.validation == tuple(sorted(row.row for row in plain(24)))
    assert split.shared
    assert not split_rows(plain(25)).shared


def test_few_rows_keep_a_holdout_that_is_wanted_small() -> None:
    split = split_rows(plain(24), min_holdout=2)
    assert split.confirmed
    assert split.train == split.validation
    assert len(split.train) + len(split.holdout) == 24


def test_a_holdout_that_leaves_no_other_rows_is_given_up() -> None:
    split = split_rows(plain(1), min_holdout=0)
    assert split.holdout == ()
    assert split.train == split.validation == ("row-0",)


def test_a_row_tagged_holdout_is_not_trained_on_even_when_it_joins_validation() -> None:
    rows = [*plain(8), RowTag("h", "holdout"), RowTag("v", "validation"), RowTag("t", "train")]
    split = split_rows(rows)
    assert {"h", "v"} <= set(split.validation)
    assert not {"h", "v"} & set(split.train)
    assert "t" not in split.validation


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([RowTag("7", "test")], r"row '7'.*train, validation or holdout, got 'test'"),
        ([RowTag("7", "train"), RowTag("7", "holdout")], r"row '7' is tagged.*give it one"),
        (
            [RowTag("7", "train", cluster="c"), RowTag("8", "holdout", cluster="c")],
            r"rows '7' and '8', equal in their inputs or of one cluster, are tagged.*give it one",
        ),
        ([RowTag(str(i), "validation") for i in range(30)], r"leaves none of 30 rows for train"),
        ([RowTag("7", "train")], r"leaves none of 1 row for validation"),
    ],
)
def test_tags_that_can_not_be_followed(rows: Sequence[RowTag], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        split_rows(rows)


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
