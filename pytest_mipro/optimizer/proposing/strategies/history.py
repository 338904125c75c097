"""Earlier instructions with their scores: the proposer continues the series upwards.

Source: Yang et al. 2023, "Large Language Models as Optimizers" (OPRO, arXiv 2309.03409).
"""

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
_HISTORY = 12


class HistoryStrategy(ProposalStrategy):
    """Shows up to twelve instructions from worst to best, and asks for a better one."""

    name = "history"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request; None while fewer than two instructions were tried."""
        if len(context.history) < 2:
            return None
        examples = chosen_examples(context.examples, _EXAMPLES, rng)
        values = {
            "tip": context.tip,
            "module": module_text(context.signature),
            "instruction": context.instruction,
            "history": history_text(context.history[:_HISTORY]),
            "examples": examples_text(examples, context.signature),
            "name": context.signature.name,
        }
        return ProposalRequest(*meta_prompt("history", values, context.limit))
