"""The built-in proposal strategies: grounded, reflective, history and brief."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pytest_mipro.optimizer.proposing.proposal_context import choose_examples, proposal_request
from pytest_mipro.optimizer.proposing.strategy import ProposalContext, ProposalRequest

EXAMPLES = 32
"""The most examples of a request."""
_FEW = 4


class GroundedStrategy:
    """MIPRO's grounded proposal: shows everything known about the task.

    That is the dataset, the program, the module, earlier instructions, examples with feedback, and
    a tip.
    """

    name = "grounded"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request, with its own draw of examples."""
        examples = choose_examples(context.examples, EXAMPLES, rng)
        return proposal_request("instruction", context, examples, history=4)


class HistoryStrategy:
    """Shows up to twelve instructions from worst to best, and asks for a better one.

    Source: Yang et al. 2023, "Large Language Models as Optimizers" (OPRO, arXiv 2309.03409).
    """

    name = "history"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request; None while fewer than two instructions have been tried."""
        if len(context.history) < 2:
            return None
        examples = choose_examples(context.examples, EXAMPLES, rng)
        return proposal_request("history", context, examples, history=12)


class ReflectiveStrategy:
    """Asks what the failures have in common, and for an instruction that avoids the fault.

    Sources: Agrawal et al. 2025, "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement
    Learning" (arXiv 2507.19457); the contrast of good and bad runs as in DSPy's SIMBA.
    """

    name = "reflective"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request, with 20 failing and 12 passing examples; None if none fails."""
        shuffled = list(context.examples)
        rng.shuffle(shuffled)
        failing = [example for example in shuffled if not example.passed][:20]
        passing = [example for example in shuffled if example.passed][:12]
        if not failing:
            return None
        worst_first = sorted(failing, key=lambda item: item.score)
        return proposal_request("reflection", context, worst_first + passing)


def asked_in_turn(names: Sequence[str]) -> Sequence[str]:
    """Return which strategies plans choose from: the brief one only where there is no other."""
    return [name for name in names if name != BriefStrategy.name] or names


class BriefStrategy:
    """Shows a few solved examples and the current instruction, and asks one thing.

    For small models, which repeat a long request or lose its thread: it is asked where another
    request brought nothing, and from then on.
    """

    name = "brief"

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        """Return the request, its examples those with a known right reply; None without any."""
        shuffled = list(context.examples)
        rng.shuffle(shuffled)
        shuffled.sort(key=lambda item: not (item.passed or item.wanted))
        if not shuffled:
            return None
        return proposal_request("brief", context, shuffled[:_FEW])
