"""Ask the proposer models, concurrently, for grounding and for instructions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pytest_mipro.errors import ContextWindowError, ProgramError
from pytest_mipro.optimizer.proposing.instruction_reply import CUT, instruction_of
from pytest_mipro.optimizer.proposing.no_instruction import Problem
from pytest_mipro.optimizer.proposing.proposal_context import dataset_summary, program_summary
from pytest_mipro.optimizer.proposing.proposal_plan import ProposalPlan
from pytest_mipro.optimizer.proposing.proposal_task import ProposalRequests, ProposalTask
from pytest_mipro.optimizer.proposing.repetition import repeats
from pytest_mipro.optimizer.proposing.second_request import LOST, REMEDIES, once_more
from pytest_mipro.optimizer.proposing.strategy import (
    Grounding,
    InstructionStrategy,
    ProposalRequest,
)
from pytest_mipro.optimizer.proposing.told_of_prompts import keeps_placeholders
from pytest_mipro.optimizer.study.case import Case, CaseRun
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.runtime.client.contract import LMClient, Message, Reply, Request
from pytest_mipro.runtime.settings import current_settings
from pytest_mipro.runtime.signature.answers.thoughts import without_thoughts
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.text.number_words import counted

T = TypeVar("T")

GROUNDING_CALLS = 2
"""The calls for grounding, at most: the dataset, and the program."""
PROPOSAL_TOKENS = 1_500
"""The output limit of a proposal, visible thinking included; double it after a cut."""
_SUMMARY_TOKENS = 1_000
CHARACTERS_PER_TOKEN = 4
"""A rough figure, so that a limit needs no tokenizer."""
MAX_PROMPT_CHARACTERS = CHARACTERS_PER_TOKEN * 16_000
"""The longest request to a proposer model; examples are dropped, then parts cut, to fit it."""
MAX_INSTRUCTION_CHARACTERS = 8_000
"""The longest instruction that is taken; a quarter more than the module's where that is longer."""
_LEAST_CHARACTERS = 2_000  # a shorter request would say nothing
MOST_HALVINGS = (MAX_PROMPT_CHARACTERS // _LEAST_CHARACTERS).bit_length()
"""How often a request that a model can't take is halved, at most."""


@dataclass(frozen=True)
class Proposal:
    """One proposal for a module.

    `messages` went to the proposer model, `cut` names the parts shortened to the limit, `reply` is
    the last answer ("" if the provider refused), `instruction` is taken from it. It is "" where
    `problem` says why both replies are unusable. `dropped` counts the examples left out for the
    limit, `halvings` how often the model could not take the request, which was halved then. `lost`:
    a longer request brought nothing, so that the plan's strategy is that of the shortest one.
    """

    signature: Signature
    plan: ProposalPlan
    messages: tuple[Message, ...]
    cut: tuple[str, ...]
    reply: str
    instruction: str
    problem: Problem = ""
    dropped: int = 0
    halvings: int = 0
    lost: bool = False


def unusable(proposals: Iterable[Proposal]) -> str:
    """Return "4 of 7 proposals unusable: 3 refused, 1 cut"; "" where none is unusable."""
    problems = [proposal.problem for proposal in proposals]
    counts = Counter(filter(None, problems)).most_common()
    said = ", ".join(f"{count} {problem}" for problem, count in counts)
    lost = sum(count for _, count in counts)
    return f"{lost} of {counted(len(problems), 'proposal')} unusable: {said}" if lost else ""


def proposal_limit() -> int:
    """Return the output limit of a proposal in tokens: the user's, where that is higher."""
    return _limit(PROPOSAL_TOKENS)


def _limit(least: int) -> int:
    """Return `least`, or the user's output limit: hidden reasoning, which counts, may need it."""
    return max(least, current_settings().max_output_tokens or 0)


class ProposerModels:
    """The proposer models behind one client, and the instruction strategies by name."""

    def __init__(
        self,
        client: LMClient,
        strategies: Mapping[str, InstructionStrategy],
        settings: OptimizerSettings,
        *,
        again: bool = True,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`again`: an unusable reply is asked for once more; `on_end` hears of each end."""
        self._client = client
        self._again = again
        self._on_end = on_end
        self._requests = ProposalRequests(strategies)
        self._settings = settings

    async def summarise(
        self,
        cases: Sequence[Case],
        runs: Sequence[CaseRun],
        signatures: Sequence[Signature],
        model: str,
        wanted: Iterable[str],
    ) -> dict[str, str]:
        """Return the `wanted` summaries ("dataset", "program"); takes a call each at most.

        One is "" where there is nothing to tell, or the model told nothing: proposals do without.
        """

        async def ask(make: Callable[[int], tuple[Message, ...]]) -> str:
            limit = MAX_PROMPT_CHARACTERS
            while limit >= _LEAST_CHARACTERS:
                messages = make(limit)
                try:
                    reply = await self._ask(model, messages, 1.0, 0, _limit(_SUMMARY_TOKENS))
                except ContextWindowError:
                    limit = sum(len(message.content) for message in messages) // 2
                except ProgramError:
                    break
                else:
                    said = without_thoughts(reply.text).strip()
                    idle = reply.finish_reason in CUT or (said and repeats(said, messages, ()))
                    return "" if idle else said
            return ""

        makers = {
            "dataset": lambda: dataset_summary(cases, self._settings.seed, ask),
            "program": lambda: program_summary(runs, signatures, ask),
        }
        names = [name for name in makers if name in set(wanted)]
        made = await asyncio.gather(*(self._counted(makers[name]) for name in names))
        return dict(zip(names, made, strict=True))

    async def propose(self, tasks: Sequence[ProposalTask], grounding: Grounding) -> list[Proposal]:
        """Return a proposal for each task, in order; at most two calls each.

        It has no instruction if both replies are unusable, or what they hold is not new.
        """
        samples: dict[tuple[Message, ...], int] = {}
        calls: list[tuple[ProposalTask, ProposalRequest, int]] = []
        for task in tasks:
            name, request = self._requests.of(task, grounding, MAX_PROMPT_CHARACTERS)
            if request is None:
                self._on_end()
                continue
            sample = samples.get(request.messages, 0)  # equal requests should differ in the reply
            samples[request.messages] = sample + 1
            calls.append((replace(task, plan=replace(task.plan, strategy=name)), request, sample))
        # Coroutines start only here: a strategy that raises above must not leave one behind.
        proposals = (self._counted(partial(self._fitting, grounding, *call)) for call in calls)
        return _without_repeats(tasks, await asyncio.gather(*proposals))

    async def _counted(self, ask: Callable[[], Awaitable[T]]) -> T:
        made = await ask()  # made here: one that is cancelled before would not be awaited
        self._on_end()
        return made

    async def _fitting(
        self, grounding: Grounding, task: ProposalTask, request: ProposalRequest, sample: int
    ) -> Proposal:
        """Return the proposal to the request, or to half of it as long as the model can't take it.

        A request is halved by dropping examples, as `proposal_request` does.
        """
        halvings = 0
        while True:
            made = await self._proposal(grounding, task, request, sample)
            made = replace(made, dropped=request.dropped, halvings=halvings)
            if made.problem != "request too long":
                return made
            _, smaller = self._requests.of(task, grounding, request.length // 2)
            # Where not even the module's line fits, the request would say nothing.
            if smaller is None or smaller.length >= request.length or "module" in smaller.cut:
                return made
            request, halvings = smaller, halvings + 1

    async def _proposal(
        self, grounding: Grounding, task: ProposalTask, request: ProposalRequest, sample: int
    ) -> Proposal:
        messages, limit = request.messages, proposal_limit()
        ask = partial(self._instruction, task, grounding, messages)
        reply, instruction, problem = await ask((), sample, limit)
        shorter, again = None, tuple[Message, ...]()
        if problem in REMEDIES and self._again:
            # A model that loses the thread of a long request can make more of a short one.
            if problem in LOST:
                shorter = self._requests.shorter(task, grounding, request.length)
            if shorter:
                task = replace(task, plan=replace(task.plan, strategy=shorter[0]))
                request = shorter[1]
                messages = request.messages
            else:
                again = once_more(reply, problem)
                limit *= 2 if problem == "cut" else 1
            ask = partial(self._instruction, task, grounding, messages)
            reply, instruction, problem = await ask(again, sample, limit)
        return Proposal(
            task.signature,
            task.plan,
            messages,
            request.cut,
            reply,
            instruction,
            problem,
            lost=shorter is not None,
        )

    async def _instruction(
        self,
        task: ProposalTask,
        grounding: Grounding,
        messages: tuple[Message, ...],
        again: tuple[Message, ...],
        sample: int,
        limit: int,
    ) -> tuple[str, str, Problem]:
        """Return (reply, instruction, problem).

        `again` follows the request: the model's first reply, which its second one may well repeat,
        and what is asked of it now.
        """
        plan, asked = task.plan, (*messages, *again)
        try:
            reply = await self._ask(plan.model, asked, plan.temperature, sample, limit)
        except ContextWindowError:
            return "", "", "request too long"
        except ProgramError:
            return "", "", "refused"
        instruction, problem = instruction_of(reply.text, reply.finish_reason)
        known = [task.instruction, *(one.text for one in task.history)]
        texts = [grounding.dataset, grounding.program, *task.told()]
        if not problem and repeats(instruction, (*messages, *again[1:]), known, texts):
            return reply.text, "", "repeated"
        if len(instruction) > max(MAX_INSTRUCTION_CHARACTERS, len(task.instruction) * 5 // 4):
            return reply.text, "", "too long"
        if not problem and not keeps_placeholders(task.signature, task.instruction, instruction):
            return reply.text, "", "other placeholders"
        return reply.text, instruction, problem

    async def _ask(
        self,
        model: str,
        messages: tuple[Message, ...],
        temperature: float,
        sample: int,
        limit: int,
    ) -> Reply:
        parameters = {"temperature": temperature, "max_tokens": limit}
        return await self._client.complete(Request(model, messages, parameters, sample=sample))


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
        repeated = proposal.instruction in seen
        if repeated and not proposal.problem:
            proposal = replace(proposal, instruction="", problem="repeated")  # noqa: PLW2901
        distinct.append(proposal)
        seen.add(proposal.instruction)
    return distinct
