"""Answer from recorded replies: kept in the repo, found by the request, whatever endpoint answered.

A reply is stored with digests of its request's parts instead of the request: files stay small, and
the error for a request without a reply can still name the part that changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pytest_mipro.errors import EndpointError, MissingKeyError, MissingReplyError
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.calls.own_client import caller
from pytest_mipro.runtime.calls.steps import step_of_label
from pytest_mipro.runtime.client.contract import LMClient, OfflineClient, Reply, Request, Usage
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.replies.request_parts import (
    RequestParts,
    describe_changes,
    key_of,
    parts_of,
)

RECORD = "pytest --mipro-replies=record"


@dataclass(frozen=True)
class RecordedReply:
    """A reply with the request that it answers, as digests.

    `case` is the first case that used it, `module` the LM module that asked, `asked` the UTC day of
    the call to the endpoint, None if unknown. `model` is the served version, `cost` is in US
    dollars. There is no latency: it would differ in each recording.
    """

    case: str
    module: str
    key: str
    text: str
    asked: str | None
    model: str
    finish_reason: str
    usage: Usage
    cost: float | None
    request: RequestParts

    @property
    def sort_key(self) -> tuple[str, str, str]:
        """Its sort key in a file: a case's replies stand together, in whatever order they came."""
        return self.case, self.module, self.key

    def reply(self) -> Reply:
        """Return the reply as a client returns it."""
        return Reply(
            text=self.text,
            usage=self.usage,
            cost=self.cost,
            cached=True,
            finish_reason=self.finish_reason,
            model=self.model,
            asked=datetime.fromisoformat(f"{self.asked}T00Z").timestamp() if self.asked else 0.0,
        )


def recorded(case: str, module: str, request: Request, reply: Reply) -> RecordedReply:
    """Return what is recorded of a reply."""
    return RecordedReply(
        case=case,
        module=module,
        key=key_of(request),
        text=reply.text,
        asked=day_of(reply.asked),
        model=reply.model,
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        cost=reply.cost,
        request=parts_of(request),
    )


def day_of(asked: float) -> str | None:
    """Return the UTC day, as 2026-03-31, of a time in Unix seconds; None for 0, unknown."""
    return datetime.fromtimestamp(asked, UTC).date().isoformat() if asked else None


class RecordedReplies:
    """The replies of one or several files; `name` stands for them in errors.

    Of two replies to one request, the first counts. `left_behind` gives files that belong to no
    test file, which are looked at where there is no reply at all: a test file may be renamed.
    """

    def __init__(
        self,
        name: str,
        replies: Iterable[RecordedReply] = (),
        left_behind: Callable[[], Iterable[RecordedReplies]] = tuple,
    ) -> None:
        self.name = name
        self._left_behind = left_behind
        self._by_key: dict[str, RecordedReply] = {}
        for reply in replies:
            self._by_key.setdefault(reply.key, reply)

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[RecordedReply]:
        return iter(self._by_key.values())

    def reply_to(self, request: Request) -> Reply | None:
        """Return the recorded reply to a request, None if there is none."""
        found = self._by_key.get(key_of(request))
        return None if found is None else found.reply()

    def said_before(self, case: str, module: str, request: Request) -> RecordedReply | None:
        """Return the reply to this request, else to the nearest of the case's and the module's."""
        found, parts = self._by_key.get(key_of(request)), parts_of(request)
        nearest = found or self._nearest(case, module, parts)
        if nearest is None or nearest is found:
            return found
        mine = nearest.case == case or nearest.request.inputs == parts.inputs
        return nearest if mine else None

    def explain_missing(self, case: str, module: str, request: Request) -> str:
        """Describe why a request has no reply: what changed since the nearest one."""
        if not self._by_key:
            return f"nothing is recorded in {self.name}"
        parts = parts_of(request)
        nearest = self._nearest(case, module, parts)
        whose = f"of this {'module' if step_of_label(module) is None else 'step'}"
        if nearest is None:
            return f"{self.name} has no reply {whose}"
        if nearest.case != case and nearest.request.inputs != parts.inputs:
            return f"{self.name} has replies {whose}, but none for this case or these inputs"
        changed = describe_changes(nearest.request, request)
        return f"{self.name} has it from before a change of {changed}"

    def renamed_from(self, request: Request) -> str:
        """Return the file without a test file that has the reply, "" if there is none."""
        if self._by_key:
            return ""
        others = self._left_behind()
        return next((it.name for it in others if it.reply_to(request) is not None), "")

    def _nearest(self, case: str, module: str, parts: RequestParts) -> RecordedReply | None:
        def nearness(reply: RecordedReply) -> tuple[bool, int, bool]:
            # A reply that several cases use names only the first: equal inputs identify it too.
            same = reply.case == case
            return same or reply.request.inputs == parts.inputs, reply.request.equal_to(parts), same

        return max(self._of_module(module), key=nearness, default=None)

    def _of_module(self, module: str) -> list[RecordedReply]:
        """Return a module's replies; without any, those of its name.

        Its file stands behind its name where the run that recorded had a namesake, and only there.
        """
        mine = [reply for reply in self if reply.module == module]
        return mine or [reply for reply in self if _name(reply.module) == _name(module)]


def _name(label: str) -> str:
    return label.partition(" (")[0]


class RecordedClient(ClientWrapper):
    """A client that answers from recorded replies, and asks `inner` for others.

    Without an inner client a missing reply is an error, and nothing else is used: no loop, no
    socket, no cache. `case` names the case that asks, for errors; calls of no case, as those of a
    search, are not recorded, so their errors don't suggest it. `served` counts the recorded replies
    that were returned.
    """

    def __init__(
        self, replies: RecordedReplies, inner: LMClient | None = None, case: str = ""
    ) -> None:
        super().__init__(inner or OfflineClient())
        self._replies = replies
        self._case = case
        self.at_once = inner is None
        self.served = 0
        self._lock = threading.Lock()

    async def complete(self, request: Request) -> Reply:
        """Return the recorded reply, else the inner client's.

        Raises MissingReplyError without an inner client. An inner client's error of key or endpoint
        also names the missing recorded reply.
        """
        found = self._found(request)
        if found is not None:
            return found
        if self.at_once:
            left = self._replies.renamed_from(request)
            remedy = f"rename {left} to that, or " if left else ""
            raise MissingReplyError(
                f"{self._missing(request)}; {remedy}run `{RECORD}` and commit the file"
            )
        try:
            return await super().complete(request)
        except (MissingKeyError, EndpointError) as error:
            if not self._case:
                raise
            kind = MissingKeyError if isinstance(error, MissingKeyError) else EndpointError
            raise kind(
                f"{error}; or run `{RECORD}` where the model can be reached, and commit the file: "
                f"{self._missing(request)}"
            ) from None

    def lookup(self, request: Request) -> Reply | None:
        """Return the recorded reply, else the one that the inner client has at hand."""
        return self._found(request) or super().lookup(request)

    def _found(self, request: Request) -> Reply | None:
        reply = self._replies.reply_to(request)
        if reply is not None:
            with self._lock:
                self.served += 1
        return reply

    def _missing(self, request: Request) -> str:
        module = calling_module()
        case = f"{self._case}: " if self._case else ""
        reason = self._replies.explain_missing(self._case, module, request)
        return f"{case}{caller(module)} has no recorded reply: {reason}"
