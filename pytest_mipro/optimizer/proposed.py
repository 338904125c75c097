"""Instructions that were proposed: what the proposer model saw and said, and how it was asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.runtime.prompt import normalise_instruction

if TYPE_CHECKING:
    from pytest_mipro.optimizer.plans import ProposalPlan
    from pytest_mipro.runtime.client import Message
    from pytest_mipro.runtime.signature import Signature

_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)


@dataclass(frozen=True)
class Proposed:
    """One proposal for a module.

    `messages` is what the proposer model saw, `cut` the parts that were shortened to the limit,
    `reply` what it said ("" where it refused), `instruction` what became of it ("": nothing of
    use, or nothing new).
    """

    signature: Signature
    plan: ProposalPlan
    messages: tuple[Message, ...]
    cut: tuple[str, ...]
    reply: str
    instruction: str


def clean_instruction(reply: str) -> str:
    """Return the instruction in a reply: without fence, quotes around it or trailing spaces."""
    text = reply.strip()
    fenced = _FENCE.match(text)
    text = fenced.group(1) if fenced else text
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text.count(text[0]) == 2:
        text = text[1:-1]
    return normalise_instruction(text).strip()
