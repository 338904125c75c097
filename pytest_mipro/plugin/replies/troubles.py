"""Count the replies that a score does not tell of: cut, empty, unreadable, refused, never asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pytest_mipro.errors import ContextWindowError, RefusalError
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.text.redaction import one_line

Trouble = tuple[str, str, int]
"""A module's label ("" for the optimiser's own calls), what went wrong, and how often."""

_CUT, _EMPTY = "cut at the output limit", "empty"
_UNREADABLE = "unreadable, also after a correction"
_REFUSED, _TOO_LONG = "refused", "longer than the model's context window"
_ERRORS = {RefusalError: _REFUSED, ContextWindowError: _TOO_LONG}


class TroubleCounter(ClientWrapper):
    """The base of the clients that callers hold: counts each troubled request once."""

    def __init__(self, inner: LMClient) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], set[str]] = {}
        self.answers = 0
        """How many replies callers got, cached or not."""

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """The troubles so far, by module and kind."""
        with self._lock:
            return tuple((*key, len(self._found[key])) for key in sorted(self._found))

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply."""
        with self._noting(request):
            return await super().complete(request)

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply that the inner client has at hand."""
        with self._noting(request):
            return super().lookup(request)

    def received(self, request: Request, reply: Reply) -> Reply:
        """Count the reply and what is wrong with it, and return it."""
        with self._lock:
            self.answers += 1
        if reply.finish_reason == "length":
            self._note(request, _CUT)
        elif reply.finish_reason != "stop":
            self._note(request, f"ended by {one_line(reply.finish_reason, 60)!r}")
        elif not reply.text.strip():
            self._note(request, _EMPTY)
        return reply

    def unreadable(self, request: Request) -> None:
        """Count a reply that can't be read, unless its end tells why."""
        with self._lock:
            known = any(request.digest() in digests for digests in self._found.values())
        if not known:
            self._note(request, _UNREADABLE)

    @contextmanager
    def _noting(self, request: Request) -> Iterator[None]:
        try:
            yield
        except (RefusalError, ContextWindowError) as error:
            self._note(request, next(_ERRORS[kind] for kind in _ERRORS if isinstance(error, kind)))
            raise

    def _note(self, request: Request, what: str) -> None:
        with self._lock:
            self._found.setdefault((calling_module(), what), set()).add(request.digest())


def added(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Return the sum of the troubles, by module and kind."""
    counts: Counter[tuple[str, str]] = Counter()
    for module, what, count in troubles:
        counts[module, what] += count
    return tuple((*key, counts[key]) for key in sorted(counts))


def describe_troubles(troubles: Iterable[Trouble]) -> str:
    """Return the counts by kind, each with its modules, in one line; "" where there are none."""
    kinds: dict[str, list[tuple[str, int]]] = {}
    for module, what, count in added(troubles):
        kinds.setdefault(what, []).append((module or "the optimiser's own", count))
    parts = []
    for what, found in sorted(kinds.items()):
        modules = ", ".join(f"{module} {count:,}" for module, count in found)
        parts.append(f"{sum(count for _, count in found):,} {what} ({modules})")
    return ", ".join(parts)
