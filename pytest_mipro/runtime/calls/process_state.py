"""Change what the whole process shares for the time of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def replacing(holder: object, **values: Any) -> Iterator[None]:
    """Set attributes of the holder in the block, and put the ones from before back at its end."""
    before = {name: getattr(holder, name) for name in values}
    vars(holder).update(values)
    try:
        yield
    finally:
        vars(holder).update(before)
