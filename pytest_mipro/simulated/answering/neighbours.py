"""Learns from demos as language models do: by the nearest ones, and by the series they make."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pytest_mipro.simulated.formats.task import Fields, Question, joined
from pytest_mipro.simulated.language.features import similarities

NEAREST = 5
# Each neighbour says two thirds of what the one before it says: all together 2.6 of the nearest's.
DECAY = 2 / 3
# Texts that share filler alone are this much alike, and those that share most of what they say that
# much: below, a demo says nothing; above, all it can.
UNLIKE, ALIKE = 0.15, 0.5
# How far a reader expects, before any demo, that no label comes twice in the series.
NO_REPEATS = 0.2
SHORT_VALUE = 24


def neighbour_scores(labels: Sequence[str], question: Question) -> dict[str, float]:
    """Return what the nearest demos say for each label, 0…2.6.

    Models learn in context much as nearest neighbours do: they look up what resembles the input and
    copy what followed it (induction heads, Olsson et al. 2022), and demos near to it help most (Liu
    et al. 2022). So a few demos of many labels say little, as the nearest of them is still far;
    more say more, until most inputs have a near one.
    """
    scores = dict.fromkeys(labels, 0.0)
    shown = [fields for fields, _ in question.demos]
    alike = demo_similarities(question.query, shown, question.instruction)
    strengths = np.clip((alike - UNLIKE) / (ALIKE - UNLIKE), 0.0, 1.0)
    nearest = np.argsort(-alike, kind="stable")[:NEAREST]
    for rank, place in enumerate(nearest):
        for label in shown_labels(question.demos[place][1], labels):
            scores[label] += DECAY**rank * float(strengths[place])
    return scores


def series_scores(labels: Sequence[str], question: Question) -> dict[str, float]:
    """Return the log of the share, 0…1, of its probability that the series leaves each label.

    A model continues the pattern that it is shown. Where no label comes twice, two patterns fit:
    labels drawn with replacement, and a list that names each label once. The second makes n labels
    without a repeat of L more likely by L^n / (L · (L-1) · … · (L-n+1)), and under it a label that
    was shown can't come again: demos of as many different labels as possible, "for cover", mislead.
    One repeat refutes it.
    """
    shown = [shown_labels(value, labels) for _, value in question.demos]
    series = [one[0] for one in shown if len(one) == 1]
    if len(series) < len(shown) or len(set(series)) < len(series):
        return dict.fromkeys(labels, 0.0)
    replaced = math.fsum(math.log1p(-before / len(labels)) for before in range(len(series)))
    either = NO_REPEATS + (1 - NO_REPEATS) * math.exp(replaced)
    share = math.log(1 - NO_REPEATS) + replaced - math.log(either)
    return {label: share if label in series else 0.0 for label in labels}


def demo_similarities(
    query: Fields, inputs: Sequence[Fields], instruction: str = ""
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return the similarity 0…1 of the query to each demo's inputs, short values apart.

    What the `instruction` speaks of counts more: demos are read in its light.
    """
    alike = similarities(joined(query), [joined(fields) for fields in inputs], instruction)
    short = {name: value for name, value in query if len(value) <= SHORT_VALUE}
    if not short or len(short) == len(query):
        return alike
    agreement = [
        sum(short.get(name) == value for name, value in fields) / len(short) for fields in inputs
    ]
    return np.asarray(0.85 * alike + 0.15 * alike * np.asarray(agreement), dtype=np.float32)


def shown_labels(value: object, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that a demo's value is or, as a list, holds; other values are left out."""
    parts = value if isinstance(value, list) else [value]
    found = (_as_label(str(part).strip(), labels) for part in parts)
    return tuple(label for label in found if label is not None)


def _as_label(text: str, labels: Sequence[str]) -> str | None:
    if text in labels:
        return text
    folded = text.casefold().rstrip(".")
    return next((label for label in labels if label.casefold() == folded), None)
