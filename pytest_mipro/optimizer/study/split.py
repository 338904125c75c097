"""Split rows into training, validation and holdout, and draw the minibatches of trials.

A row's place is a hash of the salt and the row's key: neither the seed, nor the order of rows, nor
the presence of other rows moves it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from pytest_mipro.errors import ConfigurationError

Place = Literal["train", "validation", "holdout"]

MIN_HOLDOUT = 30
# The expected fractions of the rows; the rest is for training.
HOLDOUT_SHARE, _VALIDATION = 0.3, 0.4
# Below this many rows, separate training and validation parts are too small to be of use.
MIN_APART = 25


@dataclass(frozen=True)
class RowTag:
    """A row's key and the place that its column `split` asks for, None where it asks for none."""

    row: str
    split: str | None = None


@dataclass(frozen=True)
class Split:
    """The keys of a study's rows by part, each sorted.

    `train` serves demos and proposals, `validation` the search, `holdout` the decision (empty if it
    would be too small). `shared`: training and validation have rows in common.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    holdout: tuple[str, ...] = ()
    shared: bool = False

    @property
    def confirmed(self) -> bool:
        """Whether rows that the search never uses can confirm its result."""
        return bool(self.holdout)

    @property
    def decides(self) -> bool:
        """Whether rows decide that no proposal is written from."""
        return self.confirmed or not self.shared


def place_of(row: str, salt: str) -> Place:
    """Return the place of an untagged row: a function of salt and key alone."""
    point = _unit_hash(salt, row)
    if point < HOLDOUT_SHARE:
        return "holdout"
    return "validation" if point < HOLDOUT_SHARE + _VALIDATION else "train"


def split_rows(rows: Iterable[RowTag], salt: str, min_holdout: int = MIN_HOLDOUT) -> Split:
    """Return the split of the rows; a row may come several times, once a test.

    Tags are honoured. A holdout of fewer than `min_holdout` rows joins validation, and so does one
    that leaves no rows for the others. Under 25 rows in all, or where training or validation would
    be empty, the two share their untagged rows, those of a dissolved holdout included. Raises
    ConfigurationError for an unknown or contradictory tag, and where the tags leave no row for
    training or for validation.
    """
    tags = _tags(rows)
    parts: dict[Place, set[str]] = {"train": set(), "validation": set(), "holdout": set()}
    for row, tag in tags.items():
        parts[tag or place_of(row, salt)].add(row)
    untagged = {row for row, tag in tags.items() if tag is None}
    starved = not (parts["train"] and parts["validation"]) and untagged <= parts["holdout"]
    if starved or len(parts["holdout"]) < min_holdout:
        parts["validation"] |= parts["holdout"]
        parts["holdout"] = set()
    if len(tags) < MIN_APART or not parts["train"] or not parts["validation"]:
        parts["train"] |= untagged - parts["holdout"]
        parts["validation"] |= untagged - parts["holdout"]
    for place in ("train", "validation"):
        if tags and not parts[place]:
            raise ConfigurationError(
                f"the column `split` leaves none of {len(tags)} rows for {place}: tag or untag some"
            )
    return Split(
        train=tuple(sorted(parts["train"])),
        validation=tuple(sorted(parts["validation"])),
        holdout=tuple(sorted(parts["holdout"])),
        shared=bool(parts["train"] & parts["validation"]),
    )


def minibatch(
    rows: Mapping[str, Collection[str]], size: int, seed: int, draw: int = 0
) -> tuple[str, ...]:
    """Return a stratified sample of `size` rows; all, in an order, where there are no more.

    `rows` maps a row's key to the tests that it belongs to; rows of the same tests are a stratum.
    The first rows cover every test, the others follow in proportion to their strata. Minibatches
    of the same seed and draw are prefixes of one order, whatever the order of `rows`, so that
    candidates compared on them share their rows. `draw` numbers the order, such as the round.
    """
    strata: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (_unit_hash(f"{seed}/{draw}", row), row)):
        strata[frozenset(rows[row])].append(row)
    places = {
        row: ((index + 0.5) / len(members), _unit_hash(f"{seed}/{draw}", row), row)
        for members in strata.values()
        for index, row in enumerate(members)
    }
    spread = sorted(rows, key=places.__getitem__)
    cover = _cover(spread, rows)
    return (*cover, *(row for row in spread if row not in set(cover)))[: max(0, size)]


def _tags(rows: Iterable[RowTag]) -> dict[str, Place | None]:
    tags: dict[str, Place | None] = {}
    for tagged in rows:
        wanted, known = tagged.split, tags.get(tagged.row)
        if wanted is not None and wanted not in get_args(Place):
            raise ConfigurationError(
                f"row {tagged.row!r}: split must be train, validation or holdout, got {wanted!r}"
            )
        if wanted and known and wanted != known:
            raise ConfigurationError(
                f"row {tagged.row!r} is tagged split={known!r} and split={wanted!r}: give it one"
            )
        tags[tagged.row] = cast("Place | None", wanted) or known
    return tags


def _cover(order: Collection[str], rows: Mapping[str, Collection[str]]) -> list[str]:
    """Return few rows that hold every test: greedily the row with most tests missing."""
    missing = {test for tests in rows.values() for test in tests}
    chosen: list[str] = []
    while missing:
        best = max(order, key=lambda row: len(missing.intersection(rows[row])))
        chosen.append(best)
        missing.difference_update(rows[best])
    return chosen


def _unit_hash(salt: str, row: str) -> float:
    """Return a number in 0…1 from SHA-256 of salt and row; the length keeps the two apart."""
    digest = hashlib.sha256(f"{len(salt)}:{salt}{row}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
