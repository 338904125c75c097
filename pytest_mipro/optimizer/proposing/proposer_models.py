"""Ask the proposer models, concurrently, for grounding and for instructions."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_mipro.errors import ProgramError
from pytest_mipro.optimizer.proposing.proposal_context import dataset_summary, program_summary
from pytest_mipro.optimizer.proposing.proposal_plan import TIPS, ProposalPlan
from pytest_mipro.optimizer.proposing.strategy import (
    Example,
    Grounding,
    InstructionStrategy,
    ProposalContext,
    ProposalRequest,
    ScoredInstruction,
)
from pytest_mipro.optimizer.study.case import Case, CaseRun
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import LMClient, Message, Request
from pytest_mipro.runtime.signature.reply_text import normalise_instruction
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.text.redaction import hide_in_data

GROUNDING_CALLS = 5
"""The calls for grounding, at most: three batches, their summary, and the program."""
PROPOSAL_TOKENS = 4_000
"""The output limit of a proposal, reasoning included, where tokens or money are limited."""
CHARACTERS_PER_TOKEN = 4
"""A rough figure, so that a limit needs no tokenizer."""
MAX_PROMPT_CHARACTERS = CHARACTERS_PER_TOKEN * 16_000
"""The longest request to a proposer model; its longest parts are cut to head and tail."""

# The line that announces an instruction before its fence, and a remark after it, are chatter.
_FENCED = re.compile(
    r"\A(?:[^\n`]{0,150}\b(?:instruction|prompt|version|here)\b[^\n`]{0,150}:\s*\n)?"
    r"```\w*\n(?P<inside>(?:(?!```).)*?)\n?```\s*[^\n`]{0,200}\Z",
    re.IGNORECASE | re.DOTALL,
)
# Some servers leave a reasoning model's thoughts in its reply.
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_HEADING = re.compile(
    r"\A\W*(?:the )?(?:new |improved |proposed |revised |final )*(?:instructions?|prompt)\W*:\W*\n",
    re.IGNORECASE,
)


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


@dataclass(frozen=True)
class Proposal:
    """One proposal for a module.

    `messages` went to the proposer model, `cut` names the parts shortened to the limit, `reply` is
    the answer ("" after a refusal), `instruction` is taken from it ("" if it is empty or not new).
    """

    signature: Signature
    plan: ProposalPlan
    messages: tuple[Message, ...]
    cut: tuple[str, ...]
    reply: str
    instruction: str


class ProposerModels:
    """The proposer models behind one client, and the instruction strategies by name."""

    def __init__(
        self,
        client: LMClient,
        strategies: Mapping[str, InstructionStrategy],
        settings: OptimizerSettings,
    ) -> None:
        self._client = client
        self._strategies = strategies
        self._settings = settings

    def summarise(
        self,
        cases: Sequence[Case],
        runs: Sequence[CaseRun],
        signatures: Sequence[Signature],
        model: str,
    ) -> Grounding:
        """Return the summaries that all proposals share; takes at most `GROUNDING_CALLS` calls."""

        async def ask(messages: tuple[Message, ...], sample: int) -> str:
            try:
                return await self._ask(model, messages, 1.0, sample)
            except ProgramError:
                return "(not known)"  # proposals can do without a summary

        async def summaries() -> Grounding:
            has, seed = self._settings.has, self._settings.seed
            wanted = {}
            if has("dataset"):
                wanted["dataset"] = dataset_summary(cases, seed, ask, MAX_PROMPT_CHARACTERS)
            if has("program"):
                wanted["program"] = program_summary(runs, signatures, ask, MAX_PROMPT_CHARACTERS)
            texts = dict(zip(wanted, await asyncio.gather(*wanted.values()), strict=True))
            return Grounding(texts.get("dataset", ""), texts.get("program", ""))

        return loop.run(summaries())

    def propose(self, tasks: Sequence[ProposalTask], grounding: Grounding) -> list[Proposal]:
        """Return a proposal for each task, in order; at most one call each.

        It has no instruction if the model refused, or replied with nothing or nothing new.
        """
        return _without_repeats(tasks, loop.run(self._propose(tasks, grounding)))

    async def _propose(self, tasks: Sequence[ProposalTask], grounding: Grounding) -> list[Proposal]:
        samples: dict[tuple[Message, ...], int] = {}
        calls: list[tuple[ProposalTask, ProposalRequest, int]] = []
        for task in tasks:
            name, request = self._request(task, grounding)
            if request is None:
                continue
            sample = samples.get(request.messages, 0)  # equal requests should differ in the reply
            samples[request.messages] = sample + 1
            calls.append((replace(task, plan=replace(task.plan, strategy=name)), request, sample))
        # Coroutines start only here: a strategy that raises above must not leave one behind.
        return list(await asyncio.gather(*(self._proposal(*call) for call in calls)))

    def _request(
        self, task: ProposalTask, grounding: Grounding
    ) -> tuple[str, ProposalRequest | None]:
        """Return the request of the plan's strategy, or of the next one with enough material."""
        names = list(self._strategies)
        start = names.index(task.plan.strategy)
        plan = task.plan
        examples = task.examples
        if plan.examples != "mixed":  # all, where there are none of the kind
            passing = plan.examples == "passing"
            examples = [item for item in examples if item.passed == passing] or examples
        shown = Grounding(
            grounding.dataset if plan.dataset else "", grounding.program if plan.program else ""
        )
        context = ProposalContext(
            task.signature,
            task.instruction,
            shown,
            examples,
            task.history,
            TIPS.get(plan.tip, ""),
            MAX_PROMPT_CHARACTERS,
        )
        for name in (*names[start:], *names[:start]):
            rng = random.Random(f"{task.key}/{name}")  # noqa: S311 - a draw, no secret
            request = self._strategies[name].request(context, rng)
            if request is not None:
                return name, request
        return task.plan.strategy, None

    async def _proposal(
        self, task: ProposalTask, request: ProposalRequest, sample: int
    ) -> Proposal:
        plan = task.plan
        try:
            reply = await self._ask(plan.model, request.messages, plan.temperature, sample)
        except ProgramError:
            reply = ""
        instruction = clean_instruction(hide_in_data(reply))  # it may be committed
        return Proposal(task.signature, plan, request.messages, request.cut, reply, instruction)

    async def _ask(
        self, model: str, messages: tuple[Message, ...], temperature: float, sample: int
    ) -> str:
        parameters: dict[str, float] = {"temperature": temperature}
        if self._settings.limits.by_worst_case:
            parameters["max_tokens"] = PROPOSAL_TOKENS
        request = Request(model, messages, parameters, sample=sample)
        return (await self._client.complete(request)).text


def _without_repeats(
    tasks: Iterable[ProposalTask], proposals: Sequence[Proposal]
) -> list[Proposal]:
    """Return the proposals, clearing each instruction that is already known for its module."""
    known: dict[Path, set[str]] = {}
    for task in tasks:
        earlier = known.setdefault(task.signature.prompt_path, {""})
        earlier.update({task.instruction, *(one.text for one in task.history)})
    distinct = []
    for proposal in proposals:
        seen = known[proposal.signature.prompt_path]
        repeats = proposal.instruction in seen
        distinct.append(replace(proposal, instruction="") if repeats else proposal)
        seen.add(proposal.instruction)
    return distinct


def clean_instruction(reply: str) -> str:
    """Return the instruction in a reply: without thoughts, fence, heading, quotes or blank ends."""
    text = _THOUGHTS.sub("", reply).strip()
    fenced = _FENCED.match(text)
    text = fenced["inside"] if fenced else text
    text = _HEADING.sub("", text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text.count(text[0]) == 2:
        text = text[1:-1]
    return normalise_instruction(text).strip()
