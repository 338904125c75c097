"""The score of an answer, alike for every optimiser.

Standard library only: the environments of all optimisers that are compared import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from benchmarks.comparison.world import Stage


def exact(given: Any, wanted: Any) -> float:
    """Return 1 if the answer is the wanted one, 0 if not."""
    return float(given == wanted)


def label_f1(given: Iterable[str] | None, wanted: Iterable[str]) -> float:
    """Return the F1 of two sets of labels, 0…1; two empty sets are equal."""
    found, right = set(given or ()), set(wanted)
    return 2 * len(found & right) / (len(found) + len(right)) if found or right else 1.0


def right_fields(given: Any, wanted: Mapping[str, str | None]) -> float:
    """Return the share of the fields that are right, 0…1, case and outer spaces ignored.

    `given` is an object with an attribute a field, None for an answer that can't be used. A field
    that `wanted` lacks is right where the answer leaves it out, by None or an empty text.
    """
    if given is None:
        return 0.0
    found = vars(given)
    return sum(_text(found[name]) == _text(wanted.get(name)) for name in found) / len(found)


def metric_of(stage: Stage) -> Callable[[Any, Any], float]:
    """Return the metric of a program that ends with the stage."""
    return right_fields if stage.fields else label_f1 if stage.several else exact


def _text(value: str | None) -> str:
    return (value or "").strip().casefold()
