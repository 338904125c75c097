"""MIPRO's grounded proposal: dataset, program, module, examples with feedback, and a tip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.proposing.meta_prompt import meta_prompt
from pytest_mipro.optimizer.proposing.proposal_context import (
    chosen_examples,
    examples_text,
    history_text,
    module_text,
)
from pytest_mipro.optimizer.proposing.strategy import ProposalRequest, ProposalStrategy

if TYPE_CHECKING:
    import random

    from pytest_mipro.optimizer.proposing.strategy import ProposalContext

_EXAMPLES = 32
_HISTORY = 4


class GroundedStrategy(ProposalStrategy):
    """Shows all that is known of the task, and asks for an instruction."""

    name = "grounded"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request, with a draw of examples of its own."""
        examples = chosen_examples(context.examples, _EXAMPLES, rng)
        values = {
            "tip": context.tip,
            "dataset": context.grounding.dataset,
            "program": context.grounding.program,
            "module": module_text(context.signature),
            "instruction": context.instruction,
            "history": history_text(context.history[:_HISTORY]),
            "examples": examples_text(examples, context.signature),
            "name": context.signature.name,
        }
        return ProposalRequest(*meta_prompt("instruction", values, context.limit))
