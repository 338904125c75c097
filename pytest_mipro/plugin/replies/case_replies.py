"""The replies of one case: its client, the check by a rerun, and what goes onto its report.

The rerun finds requests that a replay would not repeat: a clock or a random id in a prompt changes
them in each run. It costs no LM call: it gets the first run's replies, and what it asks beyond them
is the finding.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import pytest

from pytest_mipro.errors import MissingReplyError
from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.plugin.collecting.plan import PlannedCase
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.measuring.fixtures import shared_by_samples
from pytest_mipro.plugin.measuring.report_data import RepliesUsage
from pytest_mipro.plugin.replies.client_stack import replies_of, studies_client
from pytest_mipro.plugin.replies.recording import TrackingClient, UsedReply
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.calls.own_client import caller
from pytest_mipro.runtime.client.contract import OfflineClient, Reply, Request
from pytest_mipro.runtime.own_calls.apis.reading import read_answer
from pytest_mipro.runtime.own_calls.http_call import OwnRequest, answer_of_text
from pytest_mipro.runtime.replies.recorded import recorded
from pytest_mipro.runtime.replies.replies_file import to_line
from pytest_mipro.runtime.replies.request_parts import key_of, parts_of
from pytest_mipro.runtime.text.redaction import one_line

_CASE = pytest.StashKey["CaseReplies"]()
_QUOTED_CHARS = 120
_UNSCORED = "without a score"
_CALLED_ONCE = "called only once, as a fixture is function-scoped (rerun_safe)"


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
            raise MissingReplyError(f"{caller(module)} was not called in the first run")
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
                difference = f"one call more: {_quoted(_last_text(request))}"
                found.append(ChangingCall(module, difference))
                continue
            key = key_of(old.request)
            del left[key]
            found.append(ChangingCall(module, _difference(old.request, request), key))
        return found


class CaseReplies:
    """The client of one call of a case, and the replies that it got."""

    def __init__(self, case: PlannedCase) -> None:
        self._case = case
        config = case.item.config
        self.recording = options_of(config).replies == "record"
        client = studies_client(config, replies_of(config, [case.study.lock]), case.id)
        self.client = TrackingClient(client, keep=self.recording)
        self._changing: list[ChangingCall] = []
        self._unchecked = _UNSCORED
        case.item.stash[_CASE] = self

    def reruns(self, samples: Sequence[int], scored: Sequence[bool]) -> Sequence[int]:
        """Return the samples to run again, to find what a replay would not ask again.

        None outside a recording, without calls, if a sample has no score, or if a fixture of the
        test serves a single call.
        """
        if not (self.recording and self.client.used and all(scored)):
            return ()
        self._unchecked = "" if self._can_be_called_again() else _CALLED_ONCE
        return () if self._unchecked else samples

    def rerun_client(self, sample: int) -> RerunClient:
        """Return the client for the rerun of a sample, which asks no model."""
        return RerunClient(use for use in self.client.used if use.request.sample == sample)

    def learn(self, rerun: RerunClient) -> None:
        """Keep what the rerun found."""
        self._changing += rerun.changing

    def usage(self) -> RepliesUsage:
        """Return what goes onto the report of the case."""
        client = self.client
        usage = RepliesUsage(
            lock=str(self._case.study.lock),
            calls=client.calls,
            recorded=client.recorded,
            oldest=client.oldest if client.oldest < math.inf else 0.0,
            others=tuple(sorted(client.others)),
            troubles=client.troubles,
        )
        if not self.recording:
            return usage
        case, lost = self._case.id, {each.key for each in self._changing}
        return replace(
            usage,
            used=tuple(
                to_line(recorded(case, use.module, use.request, use.reply))
                for use in client.used
                if key_of(use.request) not in lost
            ),
            changing=tuple((case, each.module, each.difference) for each in self._changing),
            unchecked=self._unchecked if client.used else "",
            said=tuple(dict.fromkeys(_said(client.used))),
        )

    def _can_be_called_again(self) -> bool:
        item = self._case.item
        if not isinstance(item, pytest.Function):
            return False
        safe = {*self._case.rerun_safe, *options_of(item.config).rerun_safe}
        return not shared_by_samples(item, safe)


def reported_usage(item: pytest.Item) -> RepliesUsage | None:
    """Return the replies of the item's case and forget them; None where it is no case."""
    if _CASE not in item.stash:
        return None
    usage = item.stash[_CASE].usage()
    del item.stash[_CASE]
    return usage


def _said(used: Iterable[UsedReply]) -> Iterator[tuple[str, str, str]]:
    for use in used:
        if isinstance(use.request, OwnRequest):
            # Not the whole answer, whose id and time differ wherever it is made.
            told = read_answer(answer_of_text(use.reply.text)).text or use.reply.text
            yield key_of(use.request), use.request.address, content_digest(told)


def _difference(first: Request, second: Request) -> str:
    """Return the first line in which the messages of two requests differ, in both forms.

    Where they don't, it is what else identifies them, around the first difference.
    """
    texts = [
        "\n".join(message.content for message in request.messages).split("\n")
        for request in (first, second)
    ]
    for one, other in zip_longest(*texts):
        if one != other:
            return f"{_quoted(one)} became {_quoted(other)}"
    before, after = first.canonical_json(), second.canonical_json()
    same = next(
        (at for at, pair in enumerate(zip(before, after, strict=False)) if len(set(pair)) > 1), 0
    )
    start = max(0, same - _QUOTED_CHARS // 3)
    return f"{_quoted(before[start:])} became {_quoted(after[start:])}"


def _nearest(module: str, request: Request, used: Sequence[UsedReply]) -> UsedReply | None:
    parts, lines = parts_of(request), _lines(request)

    def nearness(use: UsedReply) -> tuple[int, int]:
        return parts_of(use.request).equal_to(parts), len(lines & _lines(use.request))

    return max((use for use in used if use.module == module), key=nearness, default=None)


def _lines(request: Request) -> set[str]:
    return set(_last_text(request).split("\n"))


def _last_text(request: Request) -> str:
    """Return the last message; of an own client's call without any, what identifies it."""
    return request.messages[-1].content if request.messages else request.canonical_json()


def _quoted(line: object) -> str:
    return "nothing" if line is None else repr(one_line(line, _QUOTED_CHARS))
