"""Near-duplicates across the split: found by their words, in linear time."""

import random
import time

from pytest_mipro.optimizer.study.near_duplicates import NearDuplicates, near_duplicates
from pytest_mipro.optimizer.study.split import Split

WORDS = [f"word{number}" for number in range(2000)]


def texts(count: int, length: int = 40) -> dict[str, str]:
    dice = random.Random(0)
    return {f"r{n:05}": " ".join(dice.choices(WORDS, k=length)) for n in range(count)}


def halves(rows: dict[str, str]) -> Split:
    keys = sorted(rows)
    third = len(keys) // 3
    return Split(tuple(keys[:third]), tuple(keys[third : 2 * third]), tuple(keys[2 * third :]))


def test_rows_of_other_words_are_no_duplicates() -> None:
    rows = texts(90)
    assert near_duplicates(rows, halves(rows)) is None


def test_near_duplicates_are_counted_with_an_example() -> None:
    rows = texts(90)
    rows["r00070"] = rows["r00003"].upper().replace(" ", ", ") + "!"
    rows["r00080"] = rows["r00040"] + " and a word more"
    assert near_duplicates(rows, halves(rows)) == NearDuplicates(2, "r00070", "r00003")


def test_short_texts_and_empty_ones() -> None:
    rows = {"a": "Hello!", "b": "", "c": "hello", "d": "bye"}
    split = Split(("a", "b"), (), ("c", "d"))
    assert near_duplicates(rows, split) == NearDuplicates(1, "c", "a")
    assert near_duplicates({}, split) is None


def test_without_a_holdout_validation_is_what_decides() -> None:
    rows = {"a": "one two three four", "b": "one two three four"}
    assert near_duplicates(rows, Split(("a",), ("b",))) == NearDuplicates(1, "b", "a")
    assert near_duplicates(rows, Split(("a", "b"), ("a", "b"), shared=True)) is None


def test_many_rows_of_one_template_take_no_time() -> None:
    rows = {key: "Please say what this is about: " + text for key, text in texts(3000, 8).items()}
    started = time.process_time()
    near_duplicates(rows, halves(rows))
    assert time.process_time() - started < 5
