"""Find rows that decide and are nearly the same as rows that the search uses.

Texts are compared by the three-word sequences that they share (Jaccard's index), and candidates
found by MinHash (Broder 1997), so that the time grows with the number of rows, not of pairs.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_mipro.optimizer.study.split import Split

_ALIKE = 0.7
_WORDS = 400  # of a text's words, so many count
_WORD = re.compile(r"\w+")
_MASK = 2**32 - 1
# Odd multipliers make as many orders of the sequences; two minima make a bucket.
_FACTORS = tuple((0x9E3779B1 * (2 * place + 1)) | 1 for place in range(16))
_BAND = 2
_TRIED = 8  # texts of one template fill a bucket: a row is compared with so many of each


@dataclass(frozen=True)
class NearDuplicates:
    """`count` of the deciding rows are like a row of the search, as `row` is like `like`."""

    count: int
    row: str
    like: str


def near_duplicates(texts: Mapping[str, str], split: Split) -> NearDuplicates | None:
    """Return how many deciding rows have nearly the text of a row of the search; None if none has.

    `texts` are by row; rows without one are left out. The same rows give the same example.
    """
    deciding = split.holdout or (() if split.shared else split.validation)
    others = [row for row in (*split.train, *split.validation) if row not in set(deciding)]
    shingles = {row: _shingles(text) for row, text in texts.items()}
    buckets: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for row in others if deciding else ():
        for key in _bands(shingles.get(row, frozenset())):
            if len(buckets[key]) < _TRIED:
                buckets[key].append(row)
    found: list[tuple[str, str]] = []
    for row in deciding:
        mine = shingles.get(row, frozenset())
        near = (other for key in _bands(mine) for other in buckets.get(key, ()))
        like = next((other for other in near if _alike(mine, shingles[other])), None)
        if like is not None:
            found.append((row, like))
    return NearDuplicates(len(found), *found[0]) if found else None


def _shingles(text: str) -> frozenset[int]:
    words = _WORD.findall(text.casefold())[:_WORDS]
    starts = range(max(1, len(words) - 2)) if words else ()
    return frozenset(
        zlib.crc32(" ".join(words[i : i + 3]).encode("utf-8", "replace")) for i in starts
    )


def _bands(shingles: Iterable[int]) -> Iterable[tuple[int, ...]]:
    known = list(shingles)
    if not known:
        return
    minima = [min(value * factor & _MASK for value in known) for factor in _FACTORS]
    for place in range(0, len(minima), _BAND):
        yield (place, *minima[place : place + _BAND])


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    return len(one & other) >= _ALIKE * len(one | other)
