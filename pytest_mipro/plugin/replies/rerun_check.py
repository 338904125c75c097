"""Find requests that a replay would not repeat: rerun a case on the replies of its first run.

A clock or a random id in a prompt changes the requests of each run. The rerun costs no LM call: it
gets the first run's replies, and what it asks beyond them is the finding.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pytest_mipro.errors import MissingReplyError
from pytest_mipro.plugin.replies.recording import UsedReply
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.client.contract import OfflineClient, Reply, Request
from pytest_mipro.runtime.replies.request_parts import key_of, parts_of
from pytest_mipro.runtime.text.redaction import one_line

_QUOTED_CHARS = 120


@dataclass(frozen=True)
class ChangingCall:
    """A call that differs from run to run, by its module.

    `key` is that of the recorded request which was not asked again; empty if the rerun made one
    more call.
    """

    module: str
    difference: str
    key: str = ""


class RerunClient(OfflineClient):
    """Answers a case's rerun with the first run's replies, an unknown request with the nearest one.

    So the pipeline goes on, and one finding does not hide the others.
    """

    at_once = True

    def __init__(self, used: Iterable[UsedReply]) -> None:
        self._lock = threading.Lock()
        self._used = {key_of(use.request): use for use in used}
        self._asked: set[str] = set()
        self._unknown: list[tuple[str, Request]] = []

    async def complete(self, request: Request) -> Reply:
        """Return the first run's reply; raises MissingReplyError if its module made no call."""
        key, module = key_of(request), calling_module()
        with self._lock:
            use = self._used.get(key)
            if use is not None:
                self._asked.add(key)
                return use.reply
            self._unknown.append((module, request))
            nearest = _nearest(module, request, list(self._used.values()))
        if nearest is None:
            raise MissingReplyError(f"LM module {module!r} was not called in the first run")
        return nearest.reply

    @property
    def changing(self) -> list[ChangingCall]:
        """The calls that differed, each compared with the nearest one that was not repeated.

        What the rerun did not ask at all is no finding: the pipeline may remember it.
        """
        left = {key: use for key, use in self._used.items() if key not in self._asked}
        found = []
        for module, request in self._unknown:
            old = _nearest(module, request, list(left.values()))
            if old is None:
                difference = f"one call more: {_quoted(request.messages[-1].content)}"
                found.append(ChangingCall(module, difference))
                continue
            key = key_of(old.request)
            del left[key]
            found.append(ChangingCall(module, difference_of(old.request, request), key))
        return found


def difference_of(first: Request, second: Request) -> str:
    """Return the first line in which the messages of two requests differ, in both forms."""
    texts = [
        "\n".join(message.content for message in request.messages).split("\n")
        for request in (first, second)
    ]
    for one, other in zip_longest(*texts):
        if one != other:
            return f"{_quoted(one)} became {_quoted(other)}"
    return f"{_quoted(dict(first.parameters))} became {_quoted(dict(second.parameters))}"


def _nearest(module: str, request: Request, used: Sequence[UsedReply]) -> UsedReply | None:
    parts, lines = parts_of(request), _lines(request)

    def nearness(use: UsedReply) -> tuple[int, int]:
        return parts_of(use.request).equal_to(parts), len(lines & _lines(use.request))

    return max((use for use in used if use.module == module), key=nearness, default=None)


def _lines(request: Request) -> set[str]:
    return set(request.messages[-1].content.split("\n"))


def _quoted(line: object) -> str:
    return "nothing" if line is None else repr(one_line(line, _QUOTED_CHARS))
