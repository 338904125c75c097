"""Reflection on failing traces with their feedback, and on passing ones for contrast.

Sources: Agrawal et al. 2025, "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement
Learning" (arXiv 2507.19457); the contrast of good and bad runs as in DSPy's SIMBA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.proposing.meta_prompt import meta_prompt
from pytest_mipro.optimizer.proposing.proposal_context import examples_text, module_text
from pytest_mipro.optimizer.proposing.strategy import ProposalRequest, ProposalStrategy

if TYPE_CHECKING:
    import random

    from pytest_mipro.optimizer.proposing.strategy import ProposalContext

_FAILING = 20
_PASSING = 12


class ReflectiveStrategy(ProposalStrategy):
    """Asks what the failures have in common, and for the current instruction without the fault."""

    name = "reflective"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request; None where no example fails."""
        shuffled = list(context.examples)
        rng.shuffle(shuffled)
        failing = [example for example in shuffled if example.score < 1]
        passing = [example for example in shuffled if example.score >= 1]
        if not failing:
            return None
        examples = sorted(failing[:_FAILING], key=lambda item: item.score) + passing[:_PASSING]
        values = {
            "tip": context.tip,
            "program": context.grounding.program,
            "module": module_text(context.signature),
            "instruction": context.instruction,
            "examples": examples_text(examples, context.signature),
            "name": context.signature.name,
        }
        return ProposalRequest(*meta_prompt("reflection", values, context.limit))
