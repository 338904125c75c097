"""Split rows into training, validation and holdout, and draw the minibatches of trials.

Rows are ranked by a hash of their content, and the ranking is cut at exact sizes: neither the seed
nor a name moves a row, and a few rows more or less move only those beside a cut.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.study.identity import RowTag, unit_contents, units_of
from pytest_mipro.runtime.text.number_words import counted

Place = Literal["train", "validation", "holdout"]

MIN_HOLDOUT = 30
# Of ten units, as many are held out, and as many serve validation; the rest is for training.
_HOLDOUT, _VALIDATION = 4, 4
HOLDOUT_SHARE = _HOLDOUT / 10
# Below this many units, separate training and validation parts are too small to be of use.
MIN_APART = 25


@dataclass(frozen=True)
class Split:
    """The keys of a study's rows by part, each sorted.

    Instructions are written from `train` rows and judged by `validation` rows. Both serve as demos,
    of which no row is shown its own, and no validation row one of its unit. `holdout` rows decide
    (empty if they would be too few), beside others that neither made nor chose the finalist.
    `shared`: training and validation have rows in common. `units` maps each row to its unit (see
    `units_of`): rows that stay together and count as one.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    holdout: tuple[str, ...] = ()
    shared: bool = False
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def confirmed(self) -> bool:
        """Whether rows that the search never uses can confirm its result."""
        return bool(self.holdout)

    @property
    def decides(self) -> bool:
        """Whether rows decide that no proposal is written from."""
        return self.confirmed or not self.shared

    @property
    def deciding(self) -> int:
        """How many units decide: those of the holdout, or of validation without one."""
        return self.clusters(self.holdout or self.validation)

    def clusters(self, rows: Iterable[str]) -> int:
        """Return how many units the rows are."""
        return len({self.units.get(row, row) for row in rows})

    def digest(self) -> str:
        """Return 16 hex digits of which rows are held out, "" if none is."""
        return digest_of_rows(self.holdout)


def digest_of_rows(rows: Iterable[str]) -> str:
    """Return 16 hex digits of which rows these are, in any order; "" if there are none."""
    text = "\0".join(sorted(rows))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16] if text else ""


def split_rows(rows: Iterable[RowTag], min_holdout: int = MIN_HOLDOUT) -> Split:
    """Return the split of the rows; a row may come several times, once a case.

    Of the units, 40 % are held out and 40 % serve validation, rounded; tags are honoured, and count
    towards these sizes. A holdout of fewer than `min_holdout` units joins validation, and so does
    one that leaves no units for the others. Under 25 units in all, or where training or validation
    would be empty, the two share their untagged units, those of a dissolved holdout included.
    Raises ConfigurationError for an unknown or contradictory tag, and where the tags leave no row
    for training or for validation.
    """
    known = list(rows)
    units = units_of(known)
    tags = _tags(known, units)
    untagged = {unit for unit, tag in tags.items() if tag is None}
    parts = _parts(tags, unit_contents(known, units))
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
                f"the column `split` leaves none of {counted(len(units), 'row')} for {place}: "
                "tag or untag some"
            )
    train, validation, holdout = (
        tuple(sorted(row for row, unit in units.items() if unit in parts[place]))
        for place in get_args(Place)
    )
    shared = bool(parts["train"] & parts["validation"])
    return Split(train, validation, holdout, shared, units)


def _parts(tags: Mapping[str, Place | None], contents: Mapping[str, str]) -> dict[Place, set[str]]:
    """Return the units of each part: as tagged, then by the rank of their content."""
    parts: dict[Place, set[str]] = {"train": set(), "validation": set(), "holdout": set()}
    for unit, tag in tags.items():
        if tag is not None:
            parts[tag].add(unit)
    ranked = sorted(
        (unit for unit, tag in tags.items() if tag is None), key=lambda unit: (contents[unit], unit)
    )
    shares: tuple[tuple[Place, int], ...] = (("holdout", _HOLDOUT), ("validation", _VALIDATION))
    for place, tenths in shares:
        quota = (tenths * len(tags) + 5) // 10
        missing = max(0, quota - len(parts[place]))
        parts[place] |= set(ranked[:missing])
        ranked = ranked[missing:]
    parts["train"] |= set(ranked)
    return parts


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


def _tags(rows: Iterable[RowTag], units: Mapping[str, str]) -> dict[str, Place | None]:
    """Return the tag of each unit; rows of a unit have one, or none."""
    tags: dict[str, Place | None] = {}
    tagged: dict[str, str] = {}
    for tag in rows:
        unit, wanted = units[tag.row], tag.split
        if wanted is not None and wanted not in get_args(Place):
            raise ConfigurationError(
                f"row {tag.row!r}: split must be train, validation or holdout, got {wanted!r}"
            )
        known = tags.get(unit)
        if wanted and known and wanted != known:
            other = tagged[unit]
            both = f"row {tag.row!r} is" if other == tag.row else f"rows {other!r} and {tag.row!r}"
            why = "" if other == tag.row else ", equal in their inputs or of one cluster, are"
            raise ConfigurationError(
                f"{both}{why} tagged split={known!r} and split={wanted!r}: give it one"
            )
        if wanted:
            tagged[unit] = tag.row
        tags[unit] = cast("Place | None", wanted) or known
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
