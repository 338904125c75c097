"""Instructions asked of a scripted proposer model, for a module of the tests' small world."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from optimizer_world import make_settings, note, sort
from world_model import PROPOSER, WorldClient

from pytest_mipro.optimizer.proposing.proposal_context import module_examples
from pytest_mipro.optimizer.proposing.proposal_plan import ProposalPlan
from pytest_mipro.optimizer.proposing.proposal_task import ProposalTask
from pytest_mipro.optimizer.proposing.proposer_models import Proposal, ProposerModels
from pytest_mipro.optimizer.proposing.strategies import GroundedStrategy
from pytest_mipro.optimizer.proposing.strategy import (
    Grounding,
    InstructionStrategy,
    ScoredInstruction,
)
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Request

SIGNATURES = (note.signature, sort.signature)
GROUNDING = Grounding("THE DATASET", "THE PROGRAM")
PLAN = ProposalPlan("grounded", "none", True, True, "mixed", 1.0, PROPOSER)
HISTORY = (ScoredInstruction("Sort it.", 0.25), ScoredInstruction("Sort it so.", 0.125))


def asked(runs: Sequence[CaseRun] = (), count: int = 1, **plan: Any) -> list[ProposalTask]:
    examples = module_examples(runs, sort.signature, {"test_colour": TestSpec("test_colour")})
    wanted = replace(PLAN, **plan)
    return [
        ProposalTask(sort.signature, "Sort it.", examples, HISTORY, wanted, f"0/{n}")
        for n in range(count)
    ]


def propose(
    wanted: Sequence[ProposalTask],
    reply: Callable[[Request], str] = lambda request: f"Do {request.sample}.",
    strategies: Sequence[InstructionStrategy] = (GroundedStrategy(),),
    **settings: Any,
) -> tuple[list[Proposal], WorldClient]:
    client = WorldClient(reply)
    named = {item.name: item for item in strategies}
    proposer = ProposerModels(client, named, make_settings(**settings))
    return loop.run(proposer.propose(wanted, GROUNDING)), client
