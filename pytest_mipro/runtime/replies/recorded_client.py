"""The client that answers from recorded replies."""

from __future__ import annotations

import threading

from pytest_mipro.errors import EndpointError, MissingKeyError, MissingReplyError
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.client.contract import LMClient, OfflineClient, Reply, Request
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.replies.recorded import RecordedReplies
from pytest_mipro.runtime.replies.replies_file import RECORD


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
            raise MissingReplyError(f"{self._missing(request)}; run `{RECORD}` and commit the file")
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
        asker = f"LM module {module!r}" if module else "an LM call"
        case = f"{self._case}: " if self._case else ""
        reason = self._replies.explain_missing(self._case, module, request)
        return f"{case}{asker} has no recorded reply: {reason}"
