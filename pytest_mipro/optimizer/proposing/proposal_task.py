"""One instruction to ask for, and the requests that the strategies make of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_mipro.optimizer.proposing.proposal_plan import TIPS, ProposalPlan
from pytest_mipro.optimizer.proposing.strategies import BriefStrategy
from pytest_mipro.optimizer.proposing.strategy import (
    Example,
    Grounding,
    InstructionStrategy,
    ProposalContext,
    ProposalRequest,
    ScoredInstruction,
)
from pytest_mipro.runtime.signature.signature import Signature


@dataclass(frozen=True)
class ProposalTask:
    """One instruction to ask for: its module, material and plan.

    `instruction` and `examples` are the parent program's; `key` seeds the proposal's random stream.
    """

    signature: Signature
    instruction: str
    examples: Sequence[Example]
    history: Sequence[ScoredInstruction]
    plan: ProposalPlan
    key: str

    def told(self) -> Iterator[str]:
        """Yield what the examples tell of good replies, which an instruction may quote."""
        for example in self.examples:
            yield from (example.feedback, example.wanted, example.call.text)


class ProposalRequests:
    """The requests of the strategies, which are given by name and in order."""

    def __init__(self, strategies: Mapping[str, InstructionStrategy]) -> None:
        self._strategies = strategies

    def of(
        self, task: ProposalTask, grounding: Grounding, limit: int
    ) -> tuple[str, ProposalRequest | None]:
        """Return the request of the plan's strategy, or of the next one with enough material.

        The brief one comes last: it shows the least.
        """
        names = list(self._strategies)
        start = names.index(task.plan.strategy)
        after = (*names[start + 1 :], *names[:start])
        for name in (names[start], *sorted(after, key=BriefStrategy.name.__eq__)):
            request = self._made(name, task, grounding, limit)
            if request is not None:
                return name, request
        return task.plan.strategy, None

    def shorter(
        self, task: ProposalTask, grounding: Grounding, than: int
    ) -> tuple[str, ProposalRequest] | None:
        """Return the shortest request of any strategy, None if none is at most half as long."""
        made = {name: self._made(name, task, grounding, than // 2) for name in self._strategies}
        whole = [(name, one) for name, one in made.items() if one and not (one.cut or one.dropped)]
        return min(whole, key=lambda pair: pair[1].length, default=None)

    def _made(
        self, name: str, task: ProposalTask, grounding: Grounding, limit: int
    ) -> ProposalRequest | None:
        plan, examples = task.plan, task.examples
        if plan.examples != "mixed":  # all, where there are none of the kind
            passing = plan.examples == "passing"
            examples = [item for item in examples if item.passed == passing] or examples
        context = ProposalContext(
            task.signature,
            task.instruction,
            Grounding(
                grounding.dataset if plan.dataset else "",
                grounding.program if plan.program else "",
            ),
            examples,
            task.history,
            TIPS.get(plan.tip, ""),
            limit,
        )
        rng = random.Random(f"{task.key}/{name}")  # noqa: S311 - a draw, no secret
        return self._strategies[name].request(context, rng)
