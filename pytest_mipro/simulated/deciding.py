"""Decides between labels by similarity: to their names, to what the instruction says, to demos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pytest_mipro.simulated.english import stem, stems, weight, words
from pytest_mipro.simulated.features import similarities, similarity
from pytest_mipro.simulated.rules import rules
from pytest_mipro.simulated.task import Fields, Mind, Question, joined

NAME, RULE, DEMO, NOISE = 0.8, 1.0, 3.0, 0.3
# Demos beyond this much similarity mass add nothing: attention is bounded.
ATTENTION = 1.2
SHORT_VALUE = 24


@dataclass(frozen=True)
class Decision:
    """The label chosen and the score that each label had."""

    label: str
    scores: dict[str, float]


def decide(labels: Sequence[str], question: Question, mind: Mind) -> Decision:
    """Return the best label by name, rules, demos and the mind's noise."""
    names = tuple(labels)
    text = joined(question.query)
    rule = rule_scores(names, question)
    demo = demo_scores(names, question)
    scores = {
        label: NAME * name_score(label, text)
        + RULE * rule[label]
        + DEMO * demo[label]
        + NOISE * mind.jitter("decide", question.name, label, text)
        for label in names
    }
    return Decision(max(names, key=scores.__getitem__), scores)


@lru_cache(maxsize=16384)
def name_score(label: str, text: str) -> float:
    """Return 0…1: how far the words of a label's name are in the text."""
    parts = [word for word in words(label.replace("_", " ")) if weight(word) > 0]
    if not parts:
        return 0.0
    present = stems(text)
    covered = sum(stem(part) in present for part in parts) / len(parts)
    return min(1.0, 0.8 * covered + similarity(label, text))


def field_stems(query: Fields) -> frozenset[str]:
    """Return the stems of the names of the input fields."""
    return frozenset(stem(word) for name, _ in query for word in words(name.replace("_", " ")))


def rule_scores(labels: tuple[str, ...], question: Question) -> dict[str, float]:
    """Return what the instruction's rules give each label: the best fully, others less."""
    present = stems(joined(question.query))
    strengths: dict[str, list[float]] = {label: [] for label in labels}
    for rule in rules(question.instruction, labels, field_stems(question.query)):
        strengths[rule.label].append(rule.strength(present))
    return {label: _combined(found) for label, found in strengths.items()}


def _combined(strengths: list[float]) -> float:
    for_it = sorted((s for s in strengths if s > 0), reverse=True)
    against = min(strengths, default=0.0)
    return sum(s * 0.5**rank for rank, s in enumerate(for_it[:4])) + min(against, 0.0)


def demo_scores(labels: tuple[str, ...], question: Question) -> dict[str, float]:
    """Return for each label the share, 0…1, of a similarity-weighted vote of the demos.

    A kernel vote as in Nadaraya-Watson regression, with a constant in the denominator: few or
    unlike demos move little, and from a handful of good ones on more of them add nothing.
    """
    votes = dict.fromkeys(labels, 0.0)
    if not question.demos:
        return votes
    alike = demo_similarities(question.query, [fields for fields, _ in question.demos])
    kernel = np.maximum(alike - 0.03, 0.0) ** 1.5 * 12.0
    for (_, value), mass in zip(question.demos, kernel, strict=True):
        label = as_label(value, labels)
        if label is not None:
            votes[label] += float(mass)
    total = sum(votes.values())
    return {label: vote / (ATTENTION + total) for label, vote in votes.items()}


def demo_similarities(
    query: Fields, inputs: Sequence[Fields]
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return the similarity 0…1 of the query to each demo's inputs, short values apart."""
    alike = similarities(joined(query), [joined(fields) for fields in inputs])
    short = {name: value for name, value in query if len(value) <= SHORT_VALUE}
    if not short or len(short) == len(query):
        return alike
    agreement = [
        sum(short.get(name) == value for name, value in fields) / len(short) for fields in inputs
    ]
    return np.asarray(0.85 * alike + 0.15 * alike * np.asarray(agreement), dtype=np.float32)


def as_label(value: object, labels: tuple[str, ...]) -> str | None:
    """Return the label that a demo's value is, None where it is none."""
    text = str(value).strip()
    if text in labels:
        return text
    folded = text.casefold().rstrip(".")
    return next((label for label in labels if label.casefold() == folded), None)
