"""Finding replies that no replay asks for: a second call of a case, on the replies of the first.

A clock or a random id in a prompt makes each run ask something else. The second call costs no LM
call: it gets the first one's replies, and what it asks beyond them is the finding.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from pytest_mipro.errors import MissingReplyError
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.replies.recorded import key_of, parts_of
from pytest_mipro.runtime.text.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mipro.plugin.replies.clients import Used
    from pytest_mipro.runtime.client.contract import Reply, Request

_SHOWN_CHARS = 120


@dataclass(frozen=True)
class Changing:
    """A call that differs from run to run: module and difference, and the key not worth keeping.

    `key` is that of the recorded request which was not asked again; empty where the second run made
    a call more.
    """

    module: str
    difference: str
    key: str = ""


class ProbeClient:
    """Answers from what the first run used; a request it does not know gets the nearest reply.

    So the pipeline goes on, and one finding does not hide the others.
    """

    at_once = True

    def __init__(self, used: Iterable[Used]) -> None:
        self._lock = threading.Lock()
        self._used = {key_of(use.request): use for use in used}
        self._asked: set[str] = set()
        self._unknown: list[tuple[str, Request]] = []

    async def complete(self, request: Request) -> Reply:
        """Return the first run's reply; raises MissingReplyError where its module made no call."""
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

    def endpoint(self, model: str) -> str:  # noqa: ARG002 - the contract's signature
        """Return the default endpoint: none is asked."""
        return ""

    async def aclose(self) -> None:
        """Nothing to release."""

    @property
    def changing(self) -> list[Changing]:
        """The calls that differed, each beside the nearest one that was not made again.

        What the second run did not ask at all is no finding: the pipeline may remember it.
        """
        left = {key: use for key, use in self._used.items() if key not in self._asked}
        found = []
        for module, request in self._unknown:
            old = _nearest(module, request, list(left.values()))
            if old is None:
                difference = f"one call more: {_shown(request.messages[-1].content)}"
                found.append(Changing(module, difference))
                continue
            key = key_of(old.request)
            del left[key]
            found.append(Changing(module, difference_of(old.request, request), key))
        return found


def difference_of(first: Request, second: Request) -> str:
    """Return the first line in which the messages of two requests differ, in both forms."""
    texts = [
        "\n".join(message.content for message in request.messages).split("\n")
        for request in (first, second)
    ]
    for one, other in zip_longest(*texts):
        if one != other:
            return f"{_shown(one)} became {_shown(other)}"
    return f"{_shown(dict(first.parameters))} became {_shown(dict(second.parameters))}"


def _nearest(module: str, request: Request, used: Sequence[Used]) -> Used | None:
    parts, lines = parts_of(request), _lines(request)

    def nearness(use: Used) -> tuple[int, int]:
        return parts_of(use.request).equal_to(parts), len(lines & _lines(use.request))

    return max((use for use in used if use.module == module), key=nearness, default=None)


def _lines(request: Request) -> set[str]:
    return set(request.messages[-1].content.split("\n"))


def _shown(line: object) -> str:
    return "nothing" if line is None else repr(one_line(line, _SHOWN_CHARS))
