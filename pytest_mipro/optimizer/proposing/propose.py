"""Asking the proposer models for grounding and instructions, concurrently."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.errors import ProgramError
from pytest_mipro.optimizer.proposing.proposal_context import dataset_summary, program_summary
from pytest_mipro.optimizer.proposing.proposed import Proposed, clean_instruction
from pytest_mipro.optimizer.proposing.strategy import Grounding, ProposalContext
from pytest_mipro.optimizer.proposing.tips import TIPS
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.text.redaction import hide_in_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.proposing.plans import ProposalPlan
    from pytest_mipro.optimizer.proposing.strategy import (
        Example,
        ProposalRequest,
        ProposalStrategy,
        ScoredInstruction,
    )
    from pytest_mipro.optimizer.study.case import Case
    from pytest_mipro.optimizer.study.runs import CaseRun
    from pytest_mipro.optimizer.study.settings import OptimizerSettings
    from pytest_mipro.runtime.client.contract import LMClient, Message
    from pytest_mipro.runtime.signature.signature import Signature

# Observations in batches, their summary, and the description of the program.
GROUNDING_CALLS = 5
# What a proposer model may say where tokens or money are limited, its reasoning included.
PROPOSAL_TOKENS = 4_000
CHARACTERS = 4
"""A token's, about: a limit needs no tokenizer."""
MAX_PROMPT_CHARACTERS = CHARACTERS * 16_000
"""The longest request to a proposer model; its longest parts are cut to head and tail."""


@dataclass(frozen=True)
class Asked:
    """One instruction that is wanted: for which module, from what material, and how.

    `instruction` and `examples` are the parent program's; `key` is the proposal's random stream.
    """

    signature: Signature
    instruction: str
    examples: Sequence[Example]
    history: Sequence[ScoredInstruction]
    plan: ProposalPlan
    key: str


class Proposer:
    """The proposer models behind one client, and the strategies by name."""

    def __init__(
        self,
        client: LMClient,
        strategies: Mapping[str, ProposalStrategy],
        settings: OptimizerSettings,
    ) -> None:
        self._client = client
        self._strategies = strategies
        self._settings = settings
        self._limit = MAX_PROMPT_CHARACTERS

    def ground(
        self,
        cases: Sequence[Case],
        runs: Sequence[CaseRun],
        signatures: Sequence[Signature],
        model: str,
    ) -> Grounding:
        """Return the texts that all proposals of a study share; `GROUNDING_CALLS` calls at most."""
        return loop.run(self._ground(cases, runs, signatures, model))

    async def _ground(
        self,
        cases: Sequence[Case],
        runs: Sequence[CaseRun],
        signatures: Sequence[Signature],
        model: str,
    ) -> Grounding:
        async def told(messages: tuple[Message, ...], sample: int) -> str:
            """Return a text; the grounding can do without the parts that the model refused."""
            try:
                return await self._ask(model, messages, 1.0, sample)
            except ProgramError:
                return "(not known)"

        async def nothing() -> str:
            return ""

        has, seed = self._settings.has, self._settings.seed
        dataset, program = await asyncio.gather(
            dataset_summary(cases, seed, told, self._limit) if has("dataset") else nothing(),
            program_summary(runs, signatures, told, self._limit) if has("program") else nothing(),
        )
        return Grounding(dataset, program)

    def proposals(self, asked: Sequence[Asked], grounding: Grounding) -> list[Proposed]:
        """Return a proposal for each one asked, in order; at most one call each.

        A proposal holds no instruction where the model refused, said nothing, or said what is the
        parent's instruction or an earlier one of the list already.
        """
        return _distinct(asked, loop.run(self._proposals(asked, grounding)))

    async def _proposals(self, asked: Sequence[Asked], grounding: Grounding) -> list[Proposed]:
        samples: dict[tuple[Message, ...], int] = {}
        wanted: list[tuple[Asked, ProposalRequest, int]] = []
        for item in asked:
            name, request = self._request(item, grounding)
            if request is None:
                continue
            sample = samples.get(request.messages, 0)  # equal requests are to differ in the reply
            samples[request.messages] = sample + 1
            plan = replace(item.plan, strategy=name)
            wanted.append((replace(item, plan=plan), request, sample))
        # Not before: where a strategy raises, no coroutine may be left behind.
        return list(await asyncio.gather(*(self._proposal(*item) for item in wanted)))

    def _request(self, asked: Asked, grounding: Grounding) -> tuple[str, ProposalRequest | None]:
        """Return the request of the plan's strategy, or of the next one that has what it needs."""
        names = list(self._strategies)
        start = names.index(asked.plan.strategy)
        context = self._context(asked, grounding)
        for name in (*names[start:], *names[:start]):
            rng = random.Random(f"{asked.key}/{name}")  # noqa: S311 - a draw, no secret
            request = self._strategies[name].request(context, rng)
            if request is not None:
                return name, request
        return asked.plan.strategy, None

    def _context(self, asked: Asked, grounding: Grounding) -> ProposalContext:
        plan = asked.plan
        return ProposalContext(
            asked.signature,
            asked.instruction,
            Grounding(
                grounding.dataset if plan.dataset else "", grounding.program if plan.program else ""
            ),
            _of_kind(asked.examples, plan),
            asked.history,
            TIPS.get(plan.tip, ""),
            self._limit,
        )

    async def _proposal(self, asked: Asked, request: ProposalRequest, sample: int) -> Proposed:
        plan = asked.plan
        try:
            reply = await self._ask(plan.model, request.messages, plan.temperature, sample)
        except ProgramError:
            reply = ""
        instruction = clean_instruction(hide_in_data(reply))  # it is to be committed
        return Proposed(asked.signature, plan, request.messages, request.cut, reply, instruction)

    async def _ask(
        self, model: str, messages: tuple[Message, ...], temperature: float, sample: int
    ) -> str:
        parameters: dict[str, float] = {"temperature": temperature}
        if self._settings.limits.by_worst_case:
            parameters["max_tokens"] = PROPOSAL_TOKENS
        request = Request(model, messages, parameters, sample=sample)
        return (await self._client.complete(request)).text


def _of_kind(examples: Sequence[Example], plan: ProposalPlan) -> Sequence[Example]:
    """Return the examples of the plan's kind; all, where there are none of it."""
    if plan.examples == "mixed":
        return examples
    failing = plan.examples == "failing"
    return [item for item in examples if (item.score < 1) == failing] or examples


def _distinct(asked: Iterable[Asked], proposals: Sequence[Proposed]) -> list[Proposed]:
    """Return the proposals, those that repeat a known instruction without one."""
    known: dict[Path, set[str]] = {}
    for item in asked:
        earlier = known.setdefault(item.signature.prompt_path, {""})
        earlier.update({item.instruction, *(one.text for one in item.history)})
    told = []
    for proposal in proposals:
        seen = known[proposal.signature.prompt_path]
        told.append(replace(proposal, instruction="") if proposal.instruction in seen else proposal)
        seen.add(proposal.instruction)
    return told
