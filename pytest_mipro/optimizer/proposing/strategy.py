"""The contract of proposal strategies: what they are given, and what they return."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.signature.signature import Signature


@dataclass(frozen=True)
class Grounding:
    """Summaries shared by all proposals of a study: of its `dataset` and of its `program`."""

    dataset: str
    program: str


@dataclass(frozen=True)
class Example:
    """One `call` of a module in a case of the training row `row`.

    `score` (0…1) and `feedback` are those of the case; it `passed` if it reached the pass score, or
    all of its tests did where several share the call. `wanted` is the right output as text, if a
    mark's `labels` name a column for it, "" otherwise.
    """

    row: str
    call: ModuleCall
    score: float
    feedback: str
    passed: bool
    wanted: str = ""


@dataclass(frozen=True)
class ScoredInstruction:
    """The `text` of an instruction tried before.

    `score` (0…1) is an average over the programs that it was tried in, beside equal partners.
    """

    text: str
    score: float


@dataclass(frozen=True)
class ProposalContext:
    """The material for one instruction of one module.

    `signature` is the module. `instruction` is the parent program's, `examples` are the parent's
    calls of the module on training rows, `history` holds the instructions tried so far, best first.
    A text of `grounding` is "" if this proposal leaves it out; `tip` steers the style; `limit`
    bounds the request in characters. A model that can't take a request gets one of half the length.
    """

    signature: Signature
    instruction: str
    grounding: Grounding
    examples: Sequence[Example]
    history: Sequence[ScoredInstruction] = ()
    tip: str = ""
    limit: int = 100_000


@dataclass(frozen=True)
class ProposalRequest:
    """The `messages` for the proposer model.

    `cut` names the values shortened to the limit, `dropped` counts the examples left out for it.
    """

    messages: tuple[Message, ...]
    cut: tuple[str, ...] = ()
    dropped: int = 0

    @property
    def length(self) -> int:
        """The characters of all messages."""
        return sum(len(message.content) for message in self.messages)


@runtime_checkable
class InstructionStrategy(Protocol):
    """Asks the proposer model for a new instruction of one module.

    Equal contexts and generators must give equal requests. `name` identifies the strategy in plans
    and records.
    """

    name: str

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request whose reply is a new instruction; None without enough material."""
