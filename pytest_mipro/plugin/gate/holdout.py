"""Which rows of a study are its holdout, as the optimisation splits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.study.split import RowTag, place_of, split_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mipro.plugin.gate.verdict import CaseResult


@dataclass(frozen=True)
class Holdout:
    """The keys of the holdout's rows; where there are none, `problem` says why, with a remedy."""

    rows: frozenset[str]
    problem: str = ""


def holdout_of(results: Iterable[CaseResult], salt: str, min_holdout: int) -> Holdout:
    """Return the holdout of a study's measured cases; skipped ones are no part of a study."""
    tags = [RowTag(result.row, result.split) for result in results if not result.outcome.skipped]
    try:
        split = split_rows(tags, salt, min_holdout=min_holdout)
    except ConfigurationError as error:
        return Holdout(frozenset(), str(error))
    if split.holdout:
        return Holdout(frozenset(split.holdout))
    asked = {tag.row: tag.split for tag in sorted(tags, key=lambda tag: tag.split or "")}
    found = sum((place or place_of(row, salt)) == "holdout" for row, place in asked.items())
    return Holdout(
        frozenset(),
        f"the study has {found} holdout rows of the {min_holdout} that it needs; add cases, "
        "tag rows with split=holdout, or lower mipro_min_holdout",
    )
