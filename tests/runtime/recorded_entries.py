"""A request as a module makes it, its reply as it is recorded, and recorded replies of a file."""

from __future__ import annotations

from dataclasses import replace

from pytest_mipro.runtime.client.contract import Message, Reply, Request, Usage
from pytest_mipro.runtime.replies.recorded import RecordedReplies, RecordedReply, recorded

NOON = 1774958400.0  # 2026-03-31 12:00 UTC
DEMO = (Message("user", "<text>\nold\n</text>"), Message("assistant", "OLD"))
FILE = "tests/test_desk.replies.jsonl"


def request(text: str = "hi", **changes: object) -> Request:
    messages = (Message("system", "Shout."), *DEMO, Message("user", f"<text>\n{text}\n</text>"))
    return replace(Request("a/b", messages, {"temperature": 0}), **changes)  # type: ignore[arg-type]


def entry(text: str = "hi", reply: str = "HI", case: str = "test_it[1]") -> RecordedReply:
    given = Reply(reply, Usage(7, 1), 0.25, 1.5, False, "stop", "b-2026-01", NOON)
    return recorded(case, "pipeline.shout", request(text), given)


def replies(*entries: RecordedReply) -> RecordedReplies:
    return RecordedReplies(FILE, entries)
