"""MIPRO's grounded proposal: dataset, program, module, examples with feedback, and a tip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.grounding import chosen_examples, examples_text, module_text
from pytest_mipro.optimizer.meta_prompt import meta_prompt
from pytest_mipro.optimizer.strategies.strategy import ProposalContext, ProposalRequest

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from pytest_mipro.optimizer.strategies.strategy import ScoredInstruction

_EXAMPLES = 16
_HISTORY = 4

# The tips of MIPRO (arXiv 2406.11695, appendix): each steers the style of the proposal.
TIPS = {
    "none": "",
    "descriptive": "Make the instruction very informative and descriptive.",
    "simple": "Keep the instruction clear and concise.",
    "creative": "Don't be afraid to be creative.",
    "high stakes": "The instruction should name a high-stakes situation that needs the answer.",
    "persona": "The instruction should give the module a persona that fits its task.",
}


class GroundedStrategy:
    """One request a tip in turn, each with its own draw of examples."""

    name = "grounded"

    def requests(
        self, context: ProposalContext, count: int, rng: random.Random
    ) -> list[ProposalRequest]:
        """Return `count` requests."""
        tips = list(TIPS)
        return [self._request(context, tips[index % len(tips)], rng) for index in range(count)]

    def _request(self, context: ProposalContext, tip: str, rng: random.Random) -> ProposalRequest:
        examples = chosen_examples(context.examples, _EXAMPLES, rng)
        values = {
            "tip": TIPS[tip],
            "dataset": context.grounding.dataset,
            "program": context.grounding.program,
            "module": module_text(context.signature),
            "instruction": context.instruction,
            "history": _history(context.history),
            "examples": examples_text(examples, context.signature),
            "name": context.signature.name,
        }
        return ProposalRequest(meta_prompt("instruction", values), label=tip)


def _history(history: Sequence[ScoredInstruction]) -> str:
    """Return earlier instructions with their scores, the best last, where a reader looks most."""
    best = history[:_HISTORY]
    return (
        "\n\n".join(f"Score {item.score:.3f}:\n{item.text}" for item in reversed(best)) or "(none)"
    )
