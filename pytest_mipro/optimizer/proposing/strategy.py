"""The contract of proposal strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from pytest_mipro.optimizer.search.record import Assessment
    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.runtime.calls.context import ModuleCall
    from pytest_mipro.runtime.client.contract import Message
    from pytest_mipro.runtime.signature.signature import Signature


@dataclass(frozen=True)
class Grounding:
    """Texts that are the same for all proposals of a study."""

    dataset: str
    program: str


@dataclass(frozen=True)
class Example:
    """One call of a module in a training case, with the case's score and feedback."""

    row: str
    call: ModuleCall
    score: float
    feedback: str


@dataclass(frozen=True)
class ScoredInstruction:
    """An instruction tried before, and the best estimate (0…1) of a program that has it."""

    text: str
    score: float


@dataclass(frozen=True)
class ProposalContext:
    """What a strategy may use to propose an instruction for one module.

    `instruction` is the parent's, `examples` are the parent's calls of the module on training rows,
    `history` holds the instructions tried so far, best first. A grounding text is "" where this
    proposal is to do without it; `tip` steers the style; `limit` bounds the request in characters.
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
    """What to ask the proposer model; `cut` names the parts that were shortened to the limit."""

    messages: tuple[Message, ...]
    cut: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProgramContext:
    """What a strategy may use to combine programs.

    `assessments` are all assignments measured so far, in the order of their trials; `incumbent` is
    the best of them. An assignment has two dimensions a module: its instruction, then its demos.
    """

    assessments: Sequence[Assessment]
    incumbent: Assignment


class ProposalStrategy(Protocol):
    """Makes new candidates: instructions asked of the proposer model, or programs out of programs.

    A strategy does one of the two, or both, and inherits the other. Equal contexts and generators
    must give equal results.
    """

    name: str
    """The strategy's name in plans and records."""

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:  # noqa: ARG002
        """Return the request whose reply is a new instruction; None: nothing to go by here."""
        return None

    def programs(self, context: ProgramContext, rng: random.Random) -> Sequence[Assignment]:  # noqa: ARG002
        """Return assignments worth a trial, best first; those measured already are passed over."""
        return ()
