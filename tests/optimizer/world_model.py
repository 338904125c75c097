"""The model of the tests' small world: replies are a pure function of the request.

A row's marker, `[r007]`, travels into each request that is made from it. A word's colour is known
to the model only where the instruction or a demo tells it.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable

from pytest_mipro.optimizer.proposing.proposal_plan import TIPS
from pytest_mipro.runtime.client.contract import Message, Reply, Request, Usage

COLOURS = {
    "apple": "red",
    "brick": "red",
    "grass": "green",
    "lime": "green",
    "sea": "blue",
    "sky": "blue",
}
MODEL = "fake/task"
PROPOSER = "fake/proposer"

MARKER = re.compile(r"\[(r\d+)\]")
RULE = re.compile(r"(\w+) is (red|green|blue)")


def markers(*messages: Message) -> set[str]:
    """Return the rows whose text is anywhere in the messages."""
    return {row for message in messages for row in MARKER.findall(message.content)}


def own_row(request: Request) -> str:
    """Return the row that a request of the task model is about."""
    return MARKER.findall(inputs_of(request))[0]


def inputs_of(request: Request) -> str:
    """Return the inputs: the last user message that is no correction."""
    return next(
        message.content
        for message in reversed(request.messages)
        if message.role == "user" and message.content.startswith("<")
    )


def module_of(request: Request) -> str:
    """Return the name of the module that a request is made for; "" for the proposer's grounding."""
    if request.model == PROPOSER:
        found = re.search(r"instruction of the module `optimizer_world\.(\w+)`", question(request))
        return found.group(1) if found else ""
    modules = {"text": "note", "note": "sort", "answer": "judge", "word": "polish"}
    return modules[inputs_of(request)[1:].split(">")[0]]


def last(request: Request) -> str:
    return request.messages[-1].content


def question(request: Request) -> str:
    """Return the first user message: what follows it asks once more for the same."""
    return next(message.content for message in request.messages if message.role == "user")


def asks_again(request: Request) -> bool:
    return any(message.role == "assistant" for message in request.messages)


def answer(request: Request) -> str:
    """Reply as the task model or as the proposer."""
    if request.model == PROPOSER:
        return propose(request)
    modules = {"note": _note, "sort": _sort, "judge": lambda _: "true", "polish": _polish}
    return modules[module_of(request)](request)


def word_of(text: str) -> str:
    return next((word for word in COLOURS if word in text), "")


def _note(request: Request) -> str:
    row, word = own_row(request), word_of(inputs_of(request))
    if "wander" in request.messages[0].content:
        return f"[{row}] {word}" + " more" * (inputs_of(request).count("more") + 1)
    keeps = "keep the word" in request.messages[0].content or int(row[1:]) % 5 != 0
    return f"[{row}] {word if keeps else 'something'}"


def _polish(request: Request) -> str:
    return f"[{own_row(request)}] {word_of(inputs_of(request))}, polished"


def _sort(request: Request) -> str:
    if "spoil" in request.messages[0].content:
        return "purple"
    row, word = own_row(request), word_of(inputs_of(request))
    known = dict(RULE.findall(request.messages[0].content))
    shown = [message.content for message in request.messages[1:-1]]
    for user, reply in zip(shown[::2], shown[1::2], strict=False):
        if reply in COLOURS.values():
            known.setdefault(word_of(user), reply)
    lucky = int(row[1:]) % 4 == 0
    return known.get(word) or (COLOURS[word] if lucky and word else "red")


def propose(request: Request) -> str:
    """Propose from the feedback in the request: the more rules the further the tips are on."""
    module, way = module_of(request), way_of(request)
    if module == "sort":
        rules = [f"{a} is {b}" for a, b in sorted(set(RULE.findall(question(request))))]
        return "Choose the colour: " + ", ".join(rules[: 2 * way + 3]) + "."
    if module == "note":
        return "Note the subject; keep the word." if way % 2 else "Note the subject."
    if module == "polish":
        return f"Polish the word, way {way}."
    return f"A summary of {len(question(request))} characters."


def way_of(request: Request) -> int:
    """Return the number of the request's tip and sample: equal requests are to differ."""
    asked = question(request)
    tips = [number for number, tip in enumerate(TIPS.values()) if tip and tip in asked]
    return sum(tips) + request.sample


class WorldClient:
    """A client whose replies are a pure function of the request, after a random delay.

    `rate` is the tokens that it tells for each byte of a prompt (None: one for all of it).
    """

    def __init__(
        self,
        reply: Callable[[Request], str] = answer,
        *,
        delays: int | None = None,
        rate: float | None = None,
    ) -> None:
        self._reply = reply
        self._rate = rate
        self._delays = None if delays is None else random.Random(delays)
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        if self._delays is not None:
            await asyncio.sleep(self._delays.choice((0, 0, 0.001, 0.003)))
        prompt = 1 if self._rate is None else round(self._rate * request.prompt_bytes())
        return Reply(self._reply(request), Usage(prompt, 1), cost=0.0, model=request.model)

    def endpoint(self, model: str) -> str:
        return ""

    async def aclose(self) -> None:
        pass

    @property
    def digests(self) -> set[str]:
        return {request.digest() for request in self.requests}

    def of(self, model: str) -> list[Request]:
        return [request for request in self.requests if request.model == model]


def wandering_proposals(request: Request) -> str:
    """Propose, among others, an instruction under which a case makes 5 calls in place of 2."""
    if module_of(request) == "note" and request.model == PROPOSER and way_of(request) == 0:
        return "Note the subject and wander."
    return answer(request)


def wandering_client(delays: int | None = None) -> WorldClient:
    return WorldClient(wandering_proposals, delays=delays)
