"""Demos teach as in a language model: by the nearest of them, and by the series they make."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean

import pytest
from simulated_worlds import accuracy, world

from pytest_mipro.simulated.answering.neighbours import neighbour_scores, series_scores
from pytest_mipro.simulated.formats.task import Question

BARE = "Sort the note."
MANY = tuple(f"Q{number}" for number in range(1, 13))


def shown(*demos: tuple[str, object], query: str = "falamik torobak") -> Question:
    pairs = tuple(((("note", text),), value) for text, value in demos)
    return Question("", BARE, (("note", query),), pairs)


def test_few_demos_of_many_labels_say_little_and_hundreds_no_more_than_many():
    here = world(0, MANY)
    shown, here = here.train + here.test[60:], replace(here, test=here.test[:60])
    none, four, many, more, most = (
        accuracy(here, BARE, shown[:count]) for count in (0, 4, 64, 200, 300)
    )
    assert four < none + 0.1
    assert many > none + 0.2
    assert (many - four) / 60 > (most - more) / 100
    assert more > many + 0.1


def test_the_nearest_demo_counts_most_and_a_sixth_nothing():
    near, far = ("falamik torobak", "Q1"), ("falamik bubu zizi", "Q2")
    scores = neighbour_scores(MANY, shown(far, near))
    assert scores["Q1"] > scores["Q2"] > scores["Q3"] == 0
    five = neighbour_scores(MANY, shown(*[near] * 5))
    assert neighbour_scores(MANY, shown(*[near] * 5, far)) == pytest.approx(five, abs=0.05)


def test_demos_are_read_in_the_light_of_the_instruction():
    question = shown(("falamik zizi", "Q1"), ("torobak zizi", "Q2"))
    for word, label in (("falamik", "Q1"), ("torobak", "Q2")):
        told = replace(question, instruction=f"Sort the note. Look for {word}.")
        scores = neighbour_scores(MANY, told)
        assert scores[label] == max(scores.values())
        assert scores[label] > neighbour_scores(MANY, question)[label]


@pytest.mark.parametrize("seed", [0, 1])
def test_demos_beside_right_rules_do_no_harm(seed):
    here = world(seed, MANY)
    rules = here.instruction(4)
    assert accuracy(here, rules, here.train[:8]) > accuracy(here, rules) - 0.02


def test_a_series_that_repeats_no_label_makes_the_shown_labels_unlikely():
    once = [(f"bubu {label}", label) for label in MANY[:8]]
    scores = series_scores(MANY, shown(*once))
    assert all(scores[label] < -1 for label in MANY[:8])
    assert all(scores[label] == 0 for label in MANY[8:])
    assert -0.5 < series_scores(MANY, shown(*once[:3]))["Q1"] < 0
    repeated = [*once, ("zizi", "Q1")]
    assert set(series_scores(MANY, shown(*repeated)).values()) == {0}


@pytest.mark.parametrize("count", [2, 12, 1000])
def test_a_full_series_favours_no_label(count):
    labels = tuple(f"Q{number}" for number in range(count))
    scores = series_scores(labels, shown(*[(f"bubu {label}", label) for label in labels]))
    assert len(set(scores.values())) == 1


def test_eight_demos_of_eight_labels_are_worse_than_none_and_than_eight_at_random():
    found = []
    for seed in range(3):
        cues = world(seed, MANY).cues
        here = world(seed, tuple(cues[label][0] for label in MANY))
        rows = random.Random(seed).sample(here.train, len(here.train))
        cover = list({label: (text, label) for text, label in rows}.values())[:8]
        found.append([accuracy(here, BARE, demos) for demos in ([], cover, rows[:8])])
    none, once, chance = (fmean(column) for column in zip(*found, strict=True))
    assert once < none - 0.02
    assert once < chance - 0.02


def test_a_demo_of_several_labels_speaks_for_each_and_makes_no_series():
    question = shown(("falamik torobak", ["Q1", "Q2"]), ("bubu", ["Q3"]))
    scores = neighbour_scores(MANY, question)
    assert scores["Q1"] == scores["Q2"] > scores["Q3"]
    assert set(series_scores(MANY, question).values()) == {0}
