"""Reflection on failing traces with their feedback, and on passing ones for contrast.

Sources: Agrawal et al. 2025, "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement
Learning" (arXiv 2507.19457); the contrast of good and bad runs as in DSPy's SIMBA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.proposing.proposal_context import proposal_request

if TYPE_CHECKING:
    import random

    from pytest_mipro.optimizer.proposing.strategy import ProposalContext, ProposalRequest

_FAILING = 20
_PASSING = 12


class ReflectiveStrategy:
    """Asks what the failures have in common, and for an instruction that avoids the fault."""

    name = "reflective"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request; None if no example fails."""
        shuffled = list(context.examples)
        rng.shuffle(shuffled)
        failing = [example for example in shuffled if example.score < 1]
        passing = [example for example in shuffled if example.score >= 1]
        if not failing:
            return None
        worst_first = sorted(failing[:_FAILING], key=lambda item: item.score)
        return proposal_request("reflection", context, worst_first + passing[:_PASSING])
