"""Instructions and demos raise accuracy by what they say; replies are deterministic."""

from __future__ import annotations

import time

import pytest
from simulated_worlds import accuracy, classification, world

from pytest_mipro.simulated.model import SimulatedModel

BARE = "Sort the note."


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_instruction_that_speaks_of_labels_raises_accuracy(seed):
    here = world(seed)
    bare = accuracy(here, BARE)
    assert bare < 0.5
    assert accuracy(here, here.instruction(3)) > bare + 0.2
    assert accuracy(here, here.instruction(6)) > accuracy(here, here.instruction(2))
    assert accuracy(here, here.instruction(6)) > 0.8


def test_label_names_are_evidence_of_their_own():
    here = world(0)
    named = world(0, tuple(here.cues[label][0] for label in here.labels))
    assert accuracy(named, BARE) < 0.6
    hits = [(text, label) for text, label in named.test if label in text.split()]
    model = SimulatedModel("small", 0.0)
    assert all(model.reply(classification(named, BARE, text), {}) == label for text, label in hits)


@pytest.mark.parametrize("seed", [0, 1])
def test_demos_teach_opaque_labels_and_saturate(seed):
    here = world(seed)
    scores = {count: accuracy(here, BARE, here.train[:count]) for count in (0, 4, 8, 16, 32)}
    assert scores[8] > scores[0] + 0.1
    assert scores[32] > scores[4]


def test_wrong_demos_lower_accuracy():
    here = world(0)
    shifted = dict(zip(here.labels, here.labels[1:] + here.labels[:1], strict=True))
    wrong = [(text, shifted[label]) for text, label in here.train[:16]]
    rules = here.instruction(3)
    assert accuracy(here, BARE, wrong) < accuracy(here, BARE, here.train[:16]) - 0.2
    assert accuracy(here, rules, wrong) < accuracy(here, rules)


@pytest.mark.parametrize(
    "rule",
    [
        "If the note mentions {cue}, choose {label}.",
        "{cue} goes to {label}.",
        "Choose {label} when it speaks of {cue}.",
        "{label}: {cue}",
        "{label}:\n- {cue}",
        "- **{label}** is for {cue}.",
        "Choose {other} for zuzuzuk, and {label} for {cue}.",
        "For {cue} pick {label}, not {other}.",
        "zuzuzuk -> {other}; {cue} -> {label}",
        "Never use {other} when it mentions {cue}; choose {label} then.",
    ],
)
def test_every_way_to_word_a_rule_is_read(rule):
    model = SimulatedModel("small", 0.0)
    here = world(0)
    for label, other in (("Q2", "Q1"), ("Q3", "Q4"), ("Q1", "Q3")):
        text = rule.format(cue="falamik", label=label, other=other)
        assert model.reply(classification(here, text, "torobak falamik"), {}) == label


def test_a_rule_whose_condition_is_met_fully_outranks_vague_ones():
    here = world(0)
    text = "Choose Q1 for falamik. If it mentions falamik and nolopak, choose Q2."
    model = SimulatedModel("small", 0.0)
    assert model.reply(classification(here, text, "falamik nolopak bubu"), {}) == "Q2"
    assert model.reply(classification(here, text, "falamik bubu"), {}) == "Q1"


def test_a_default_holds_where_no_rule_does():
    here = world(0)
    text = "If it mentions falamik, choose Q1. Otherwise choose Q4."
    model = SimulatedModel("small", 0.0)
    assert model.reply(classification(here, text, "bubu"), {}) == "Q4"
    assert model.reply(classification(here, text, "falamik"), {}) == "Q1"


def test_temperature_zero_ignores_the_sample_and_a_higher_one_varies_with_it():
    here = world(0)
    model = SimulatedModel("small")
    cold, hot, again = set(), set(), set()
    for text, _ in here.test[:20]:
        messages = classification(here, BARE, text)
        cold.add(tuple(model.reply(messages, {"temperature": 0}, k) for k in range(4)))
        hot.add(tuple(model.reply(messages, {"temperature": 1.0}, k) for k in range(4)))
        again.add(tuple(model.reply(messages, {"temperature": 1.0}, k) for k in range(4)))
    assert all(len(set(replies)) == 1 for replies in cold)
    assert any(len(set(replies)) > 1 for replies in hot)
    assert hot == again


def test_the_large_model_blurs_less():
    here = world(3)
    rules = here.instruction(4)
    small, large = SimulatedModel("small", 1.0), SimulatedModel("large", 0.3)
    assert accuracy(here, rules, model=large) > accuracy(here, rules, model=small)


def test_a_call_takes_less_than_two_milliseconds():
    here = world(0)
    model = SimulatedModel("small")
    began = time.process_time()
    for text, _ in here.test:
        model.reply(classification(here, here.instruction(), text, here.train[:8]), {})
    assert (time.process_time() - began) / len(here.test) < 0.002 * 2  # twice: CI machines are slow
