"""MIPRO's grounded proposal: dataset, program, module, examples with feedback, and a tip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.proposing.proposal_context import choose_examples, proposal_request

if TYPE_CHECKING:
    import random

    from pytest_mipro.optimizer.proposing.strategy import ProposalContext, ProposalRequest

_EXAMPLES = 32
_HISTORY = 4


class GroundedStrategy:
    """Shows everything known about the task and asks for an instruction."""

    name = "grounded"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request, with its own draw of examples."""
        examples = choose_examples(context.examples, _EXAMPLES, rng)
        return proposal_request("instruction", context, examples, _HISTORY)
