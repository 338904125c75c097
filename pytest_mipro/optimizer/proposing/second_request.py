"""Ask a proposer model once more, with what was wrong with its first reply."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_mipro.optimizer.proposing.no_instruction import Problem
from pytest_mipro.runtime.client.contract import Message

_SHOWN_REPLY = 1_000
LOST: frozenset[Problem] = frozenset({"cut", "empty", "repeated"})
"""Of a long request that a model lost the thread of: a short one is asked in its place."""
_FORM = " Write it between <instruction> and </instruction>, and nothing else."
REMEDIES: Mapping[Problem, str] = {
    "cut": "Your reply was cut at its limit. Write a shorter instruction, without thinking aloud.",
    "empty": "Your reply holds no instruction.",
    "too long": "That is too long for an instruction. Write a much shorter one.",
    "other placeholders": "It must hold the placeholders in braces of the current instruction, all "
    "of them and no others.",
    "refused": "The instruction is for a module that handles inputs like those above.",
    "a question": "You can't be answered: decide by what you see above, and write the instruction.",
    "several": "One instruction is wanted. Decide which is the best, and write only that.",
    "repeated": "This is the request, a reply or an earlier instruction. Write a new one in your "
    "own words.",
}
"""What is said of a reply with a problem that another reply may not have."""


def once_more(reply: str, problem: Problem) -> tuple[Message, ...]:
    """Return the messages that follow an unusable reply; some endpoints refuse an empty one."""
    said = reply.strip()[:_SHOWN_REPLY] or "…"
    return Message("assistant", said), Message("user", REMEDIES[problem] + _FORM)
