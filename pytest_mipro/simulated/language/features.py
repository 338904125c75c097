"""Similarity of texts: hashed words, word pairs and character n-grams as numpy vectors."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pytest_mipro.simulated.language.english import STOP_WORDS, stem, weight, words

Vector = NDArray[np.float32]
DIMENSIONS = 2048
STRESS = 2.0


@lru_cache(maxsize=65536)
def _slot(feature: str) -> int:
    return zlib.crc32(feature.encode("utf-8", "surrogatepass")) % DIMENSIONS


@lru_cache(maxsize=65536)
def _word_features(word: str) -> tuple[tuple[int, float], ...]:
    """Return (slot, weight) of a word: its stem counts fully, its character 4-grams a little."""
    base = stem(word)
    strength = weight(word)
    found = [(_slot("w:" + base), strength)]
    padded = f"^{word}$"
    grams = [padded[i : i + 4] for i in range(len(padded) - 3)]
    found += [(_slot("g:" + gram), 0.25 * strength / len(grams) ** 0.5) for gram in grams]
    return tuple(found)


@lru_cache(maxsize=4096)
def vector(text: str) -> Vector:
    """Return the text's feature vector, shape (2048,), not normalised; zero where it says nothing.

    Repeated words count by the square root of their number.
    """
    counts = np.zeros(DIMENSIONS, dtype=np.float32)
    content = [word for word in words(text) if word not in STOP_WORDS]
    for word in content:
        for slot, strength in _word_features(word):
            counts[slot] += strength
    for first, second in itertools.pairwise(content):
        counts[_slot(f"b:{stem(first)} {stem(second)}")] += 0.5
    result: Vector = np.sqrt(counts)
    result.setflags(write=False)
    return result


@lru_cache(maxsize=512)
def _stressed(text: str) -> Vector:
    """Return a factor for each feature, shape (2048,): `STRESS` for the text's words, else 1."""
    factors = np.ones(DIMENSIONS, dtype=np.float32)
    for word in words(text):
        if word not in STOP_WORDS:
            factors[_slot("w:" + stem(word))] = STRESS
    factors.setflags(write=False)
    return factors


def similarities(query: str, others: Sequence[str], stressed: str = "") -> Vector:
    """Return the cosine similarity 0…1 of the query to each other text, shape (n,).

    Features that most of these texts share count less, as in tf-idf (Spärck Jones 1972), and the
    words of `stressed` count more.
    """
    if not others:
        return np.zeros(0, dtype=np.float32)
    matrix = np.stack([vector(text) for text in others])
    target = vector(query)
    count = len(others) + 1
    frequency = (matrix > 0).sum(axis=0) + (target > 0)
    rarity = np.log(1.0 + count / (0.5 + frequency)).astype(np.float32)
    weights = rarity * _stressed(stressed)
    matrix = matrix * weights
    target = target * weights
    norms = np.linalg.norm(matrix, axis=1) * np.linalg.norm(target)
    result: Vector = (matrix @ target) / np.maximum(norms, 1e-6)
    return result


def similarity(first: str, second: str) -> float:
    """Return the cosine similarity 0…1 of two texts."""
    one, two = vector(first), vector(second)
    norm = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(one @ two) / norm if norm > 0 else 0.0
