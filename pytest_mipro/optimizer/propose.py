"""Asking the proposer model for grounding and instructions, concurrently and within a budget."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.errors import CandidateError
from pytest_mipro.optimizer.grounding import (
    Grounding,
    dataset_summary,
    module_examples,
    program_summary,
)
from pytest_mipro.optimizer.strategies.strategy import ProposalContext
from pytest_mipro.runtime import loop
from pytest_mipro.runtime.client import Request
from pytest_mipro.runtime.prompt import normalise_instruction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.case import Case
    from pytest_mipro.optimizer.evaluate import CaseRun
    from pytest_mipro.optimizer.strategies.strategy import (
        ProposalRequest,
        ProposalStrategy,
        ScoredInstruction,
    )
    from pytest_mipro.runtime.client import LMClient, Message
    from pytest_mipro.runtime.prompt import Prompt
    from pytest_mipro.runtime.signature import Signature

_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)
# Observations in batches, their summary, and the description of the program.
GROUNDING_CALLS = 5


@dataclass(frozen=True)
class Material:
    """What a round's proposals are drawn from, training rows alone.

    `runs` are the incumbent's on the training cases, `prompts` the incumbent's by prompt path,
    `history` the instructions tried so far with their scores, best first, by prompt path.
    """

    runs: Sequence[CaseRun]
    prompts: Mapping[Path, Prompt]
    history: Mapping[Path, Sequence[ScoredInstruction]]
    key: str


class Proposer:
    """The proposer model behind one client; every call has temperature 1 and its sample index."""

    def __init__(
        self, client: LMClient, model: str, strategies: Sequence[ProposalStrategy]
    ) -> None:
        self._client = client
        self._model = model
        self._strategies = strategies

    def ground(
        self,
        cases: Sequence[Case],
        runs: Sequence[CaseRun],
        signatures: Sequence[Signature],
        seed: int,
    ) -> Grounding:
        """Return the texts that all proposals of a study share; `GROUNDING_CALLS` calls at most."""
        return loop.run(self._ground(cases, runs, signatures, seed))

    async def _ground(
        self,
        cases: Sequence[Case],
        runs: Sequence[CaseRun],
        signatures: Sequence[Signature],
        seed: int,
    ) -> Grounding:
        dataset, program = await asyncio.gather(
            dataset_summary(cases, seed, self._told),
            program_summary(runs, signatures, self._told),
        )
        return Grounding(dataset, program)

    def instructions(
        self, material: Material, grounding: Grounding, signatures: Sequence[Signature], count: int
    ) -> dict[Path, list[str]]:
        """Return up to `count` new instructions a module, duplicates and empty replies dropped."""
        return loop.run(self._instructions(material, grounding, signatures, count))

    async def _instructions(
        self, material: Material, grounding: Grounding, signatures: Sequence[Signature], count: int
    ) -> dict[Path, list[str]]:
        proposals = await asyncio.gather(
            *(self._for(signature, material, grounding, count) for signature in signatures)
        )
        return {
            signature.prompt_path: texts
            for signature, texts in zip(signatures, proposals, strict=True)
        }

    async def _for(
        self, signature: Signature, material: Material, grounding: Grounding, count: int
    ) -> list[str]:
        context = ProposalContext(
            signature,
            material.prompts[signature.prompt_path].instruction,
            grounding,
            module_examples(material.runs, signature),
            material.history.get(signature.prompt_path, ()),
        )
        requests = self._requests(context, count, material.key)
        replies = await asyncio.gather(
            *(self._proposal(request, sample) for sample, request in enumerate(requests))
        )
        return [text for text in dict.fromkeys(replies) if text and text != context.instruction]

    def _requests(self, context: ProposalContext, count: int, key: str) -> list[ProposalRequest]:
        """Share the proposals out among the strategies, the first ones taking the remainder."""
        requests: list[ProposalRequest] = []
        for index, strategy in enumerate(self._strategies):
            share = (count + len(self._strategies) - 1 - index) // len(self._strategies)
            rng = random.Random(f"{key}/{strategy.name}/{context.signature.name}")  # noqa: S311
            requests += strategy.requests(context, share, rng)
        return requests

    async def _proposal(self, request: ProposalRequest, sample: int) -> str:
        """Return the proposed instruction; empty where the model refused or failed to give one."""
        try:
            return clean_instruction(await self._ask(request.messages, sample))
        except CandidateError:
            return ""

    async def _told(self, messages: tuple[Message, ...], sample: int) -> str:
        """Return a text for the grounding; it can do without the parts that the model refused."""
        try:
            return await self._ask(messages, sample)
        except CandidateError:
            return "(not known)"

    async def _ask(self, messages: tuple[Message, ...], sample: int) -> str:
        request = Request(self._model, messages, {"temperature": 1.0}, sample=sample)
        return (await self._client.complete(request)).text


def clean_instruction(reply: str) -> str:
    """Return the instruction in a reply: without fence, quotes around it or trailing spaces."""
    text = reply.strip()
    fenced = _FENCE.match(text)
    text = fenced.group(1) if fenced else text
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text.count(text[0]) == 2:
        text = text[1:-1]
    return normalise_instruction(text).strip()
