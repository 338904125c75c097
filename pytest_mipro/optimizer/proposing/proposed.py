"""Instructions that were proposed: what the proposer model saw and said, and how it was asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.runtime.signature.reply_text import normalise_instruction

if TYPE_CHECKING:
    from pytest_mipro.optimizer.proposing.plans import ProposalPlan
    from pytest_mipro.runtime.client.contract import Message
    from pytest_mipro.runtime.signature.signature import Signature

# What announces an instruction before its fence is talk, as is a line behind it.
_FENCED = re.compile(
    r"\A(?:[^\n`]{0,150}\b(?:instruction|prompt|version|here)\b[^\n`]{0,150}:\s*\n)?"
    r"```\w*\n(?P<inside>(?:(?!```).)*?)\n?```\s*[^\n`]{0,200}\Z",
    re.IGNORECASE | re.DOTALL,
)
# What some servers leave of a reasoning model's thoughts in its reply.
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_HEADING = re.compile(
    r"\A\W*(?:the )?(?:new |improved |proposed |revised |final )*(?:instructions?|prompt)\W*:\W*\n",
    re.IGNORECASE,
)


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
    """Return the instruction in a reply: without thoughts, fence, heading, quotes or blank ends."""
    text = _THOUGHTS.sub("", reply).strip()
    fenced = _FENCED.match(text)
    text = fenced["inside"] if fenced else text
    text = _HEADING.sub("", text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text.count(text[0]) == 2:
        text = text[1:-1]
    return normalise_instruction(text).strip()
