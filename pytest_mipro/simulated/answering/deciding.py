"""Decides between labels: by their names, by what the instruction says of them, by demos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pytest_mipro.simulated.answering.neighbours import neighbour_scores, series_scores
from pytest_mipro.simulated.answering.rules import rules
from pytest_mipro.simulated.formats.task import Fields, Mind, Question, joined
from pytest_mipro.simulated.language.english import stem, stems, weight, words
from pytest_mipro.simulated.language.features import similarity

# Demos can say more than rules, which say at most 2.6 as well, as five near ones are seldom there.
NAME, RULE, DEMO, SERIES, NOISE = 0.8, 1.0, 1.5, 1.0, 0.3


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
    near = neighbour_scores(names, question)
    series = series_scores(names, question)
    scores = {
        label: NAME * name_score(label, text)
        + RULE * rule[label]
        + DEMO * near[label]
        + SERIES * series[label]
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
