"""The built-in proposal strategies: grounded, reflective, history and merge."""

from __future__ import annotations

import random

from pytest_mipro.optimizer.proposing.proposal_context import choose_examples, proposal_request
from pytest_mipro.optimizer.proposing.strategy import (
    ProgramContext,
    ProposalContext,
    ProposalRequest,
)
from pytest_mipro.optimizer.search.assessments import front
from pytest_mipro.optimizer.search.credit_assignment import composed
from pytest_mipro.optimizer.search.searcher import Assignment

EXAMPLES = 32
"""The most examples of a request."""


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


class MergeStrategy:
    """Merges by main effects over all trials, then by crossover of pairs from the Pareto front.

    The crossover is GEPA's system-aware merge (arXiv 2507.19457): of two programs that win on
    different cases, it takes each module whole from one of them.
    """

    name = "merge"

    def programs(self, context: ProgramContext, rng: random.Random) -> list[Assignment]:
        """Return the merge of main effects, then a child of each pair of the front."""
        merged = [composed(context.assessments, context.incumbent)]
        parents = front(context.assessments)
        pairs = [(one, two) for index, one in enumerate(parents) for two in parents[index + 1 :]]
        return merged + [_child(one, two, rng) for one, two in pairs]


def _child(one: Assignment, two: Assignment, rng: random.Random) -> Assignment:
    """Return a program with at least one differing module from each parent."""
    differing = [i for i in range(0, len(one), 2) if one[i : i + 2] != two[i : i + 2]]
    if len(differing) < 2:
        return one
    taken = set(rng.sample(differing, rng.randint(1, len(differing) - 1)))
    return tuple((two if place - place % 2 in taken else one)[place] for place in range(len(one)))
