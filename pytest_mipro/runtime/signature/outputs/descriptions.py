"""Find what an annotation says of its values: beside the type, in its docstring and fields."""

from __future__ import annotations

import contextlib
from typing import Any

from pytest_mipro.runtime.signature.outputs.output_shape import notes_of
from pytest_mipro.runtime.signature.outputs.pydantic_schema import adapter_and_schema, shown


def said_beside(annotation: Any) -> str:
    """Return the description in an `Annotated`: a plain text, or that of a `Field` or `Doc`."""
    for note in getattr(annotation, "__metadata__", ()):
        for said in (note, getattr(note, "description", ""), getattr(note, "documentation", "")):
            if isinstance(said, str) and said.strip():
                return " ".join(said.split())
    return ""


def notes_on(name: str, annotation: Any) -> dict[str, str]:
    """Return what is said of an input and of its fields, by name as in `order` and `order.items[]`.

    An input that pydantic knows nothing of has at most the description beside its type.
    """
    notes = [("", said_beside(annotation))]
    if annotation is not str:
        with contextlib.suppress(
            Exception
        ):  # any type may be an input, whatever it does to pydantic
            notes += notes_of(shown(adapter_and_schema(annotation)[1]))
    found: dict[str, list[str]] = {}
    for place, said in notes:
        where = f"{name}.{place}" if place and not place.startswith("[") else f"{name}{place}"
        if said and not (where == name and where in found):
            found.setdefault(where, []).append(said)
    return {where: "; ".join(said) for where, said in found.items()}
