"""The contract of proposal strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from pytest_mipro.optimizer.grounding import Example, Grounding
    from pytest_mipro.runtime.client import Message
    from pytest_mipro.runtime.signature import Signature


@dataclass(frozen=True)
class ScoredInstruction:
    """An instruction tried before, and the best estimate (0…1) of a program that has it."""

    text: str
    score: float


@dataclass(frozen=True)
class ProposalContext:
    """What a strategy may use to propose for one module.

    `instruction` is the incumbent's; `examples` are its calls on training rows; `history` holds the
    instructions tried so far, best first.
    """

    signature: Signature
    instruction: str
    grounding: Grounding
    examples: Sequence[Example]
    history: Sequence[ScoredInstruction] = ()


@dataclass(frozen=True)
class ProposalRequest:
    """What to ask the proposer model, and how the record names it (such as the tip)."""

    messages: tuple[Message, ...]
    label: str


class ProposalStrategy(Protocol):
    """Turns a context into requests for new instructions; each reply is one instruction."""

    @property
    def name(self) -> str:
        """The strategy's name in plans and records."""
        ...

    def requests(
        self, context: ProposalContext, count: int, rng: random.Random
    ) -> Sequence[ProposalRequest]:
        """Return `count` requests; equal contexts and generators give equal requests."""
        ...
