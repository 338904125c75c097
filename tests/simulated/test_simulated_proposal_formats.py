"""The model learns as much from every optimiser's request: no client's format is favoured."""

from __future__ import annotations

import json
from statistics import fmean

import pytest
from proposal_formats import FORMATS, INSTRUCTION, feedback, instruction_of
from simulated_worlds import accuracy, world

from pytest_mipro.simulated.model import SimulatedModel
from pytest_mipro.simulated.proposing.shown import approves, shown_examples

MODEL = SimulatedModel("small")
NAMES = ("tree care", "noise control", "public library", "waste collection")


def examples(here, count, *, failing=True):
    """Return training rows; every second one with a wrong label given."""
    found = []
    for index, (text, right) in enumerate(here.train[:count]):
        other = here.labels[(here.labels.index(right) + 1) % len(here.labels)]
        found.append((text, other if failing and index % 2 else right, right))
    return found


def taught(form, here, shown):
    """Return the mean accuracy of the instructions that requests in this format bring."""
    replies = [MODEL.reply(FORMATS[form](here, shown), {"temperature": 1.0}, k) for k in range(4)]
    return fmean(accuracy(here, instruction_of(reply)) for reply in replies)


@pytest.mark.parametrize("labels", [("Q1", "Q2", "Q3", "Q4"), NAMES])
def test_every_format_teaches_as_much(labels):
    gains = {}
    for form in FORMATS:
        worlds = [world(seed, labels) for seed in range(3)]
        bare = fmean(accuracy(here, INSTRUCTION) for here in worlds)
        gains[form] = fmean(taught(form, here, examples(here, 20)) for here in worlds) - bare
    assert min(gains.values()) > 0.2
    assert max(gains.values()) - min(gains.values()) < 0.1


@pytest.mark.parametrize("form", FORMATS)
def test_three_examples_of_three_labels_are_enough_to_see_that_they_are_labels(form):
    here = world(1, NAMES)
    rows = {label: (text, label, label) for text, label in here.train}
    reply = MODEL.reply(FORMATS[form](here, list(rows.values())[:3]), {"temperature": 1.0})
    instruction = instruction_of(reply)
    assert sum(label in instruction for label in here.labels) == 3


@pytest.mark.parametrize("form", FORMATS)
def test_the_reply_is_in_the_wanted_form_and_keeps_the_instruction(form):
    here = world(0)
    reply = MODEL.reply(FORMATS[form](here, examples(here, 8)), {"temperature": 1.0})
    assert instruction_of(reply).startswith(INSTRUCTION)
    assert "Respond with" not in reply


def test_a_longer_label_that_feedback_quotes_is_taken_whole():
    here = world(0, NAMES)
    shown = [(text, "tree care", label) for text, label in here.train[:6] if label != "tree care"]
    reply = MODEL.reply(FORMATS["reflective_json"](here, shown), {"temperature": 0.0})
    for label in {right for _, _, right in shown}:
        assert label in reply


@pytest.mark.parametrize(
    ("text", "praised"),
    [
        ("", True),
        (feedback("a", "a"), True),
        ("You correctly classified the note as `a`.", True),
        ("This trajectory got a score of 1.0.", True),
        ("Well done.", True),
        (feedback("b", "a"), False),
        ("The correct answer is `a`.", False),
        ("This trajectory got a score of 0.0.", False),
        ("assert 'a' == 'b'", False),
        ("That is not correct.", False),
        ("You incorrectly chose b.", False),
    ],
)
def test_feedback_that_praises_is_told_from_feedback_that_blames(text, praised):
    assert approves(text) == praised


def test_json_records_are_read_as_examples():
    rows = [{"note": f"falamik {n}", "queue": "Q1"} for n in range(2)]
    whole = {"input": {"note": "torobak"}, "output": "Q2", "score": 0.0, "feedback": "expected Q3"}
    text = "Rows:\n" + "\n".join(json.dumps(row) for row in rows) + "\n" + json.dumps([whole])
    one, two, three = shown_examples(text)
    assert (one.inputs, one.output, one.passed) == ((("note", "falamik 0"),), "Q1", True)
    assert two.inputs == (("note", "falamik 1"),)
    assert (three.inputs, three.output, three.passed) == ((("note", "torobak"),), "Q2", False)


def test_what_is_no_json_is_left_alone():
    assert shown_examples("[1, 2]\n{oops\n[[ ## x ## ]]\n{}") == []
