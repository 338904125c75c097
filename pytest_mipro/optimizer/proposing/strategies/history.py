"""Earlier instructions with their scores: the proposer continues the series upwards.

Source: Yang et al. 2023, "Large Language Models as Optimizers" (OPRO, arXiv 2309.03409).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.proposing.proposal_context import choose_examples, proposal_request

if TYPE_CHECKING:
    import random

    from pytest_mipro.optimizer.proposing.strategy import ProposalContext, ProposalRequest

_EXAMPLES = 32
_HISTORY = 12


class HistoryStrategy:
    """Shows up to twelve instructions from worst to best, and asks for a better one."""

    name = "history"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request; None while fewer than two instructions have been tried."""
        if len(context.history) < 2:
            return None
        examples = choose_examples(context.examples, _EXAMPLES, rng)
        return proposal_request("history", context, examples, _HISTORY)
