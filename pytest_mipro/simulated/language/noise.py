"""Deterministic randomness: numbers drawn from hashes, so that equal requests get equal replies."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def digest(*parts: object) -> str:
    """Return 32 hex digits that depend on every part."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def uniform(*parts: object) -> float:
    """Return a number in the open interval 0…1 that depends on every part."""
    text = "\x1f".join(str(part) for part in parts)
    data = text.encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())
    return (number + 0.5) / 2**64


def gumbel(*parts: object) -> float:
    """Return a standard Gumbel draw; adding one to each score samples from their softmax."""
    return -math.log(-math.log(min(uniform(*parts), 1 - 1e-12)))


def pick(options: Sequence[T], *parts: object) -> T:
    """Return one of the options, all equally likely."""
    return options[int(uniform(*parts) * len(options))]
