"""The replies of one case: its client, the check by a rerun, and what goes onto its report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_mipro.plugin.collecting.plan import PlannedCase
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.measuring.fixtures import fixture_label, project_fixtures
from pytest_mipro.plugin.measuring.report_data import RepliesUsage
from pytest_mipro.plugin.replies.rerun_check import ChangingCall, RerunClient
from pytest_mipro.plugin.replies.stack import case_client
from pytest_mipro.runtime.replies.recorded import recorded
from pytest_mipro.runtime.replies.replies_file import to_line
from pytest_mipro.runtime.replies.request_parts import key_of

_CASE = pytest.StashKey["CaseReplies"]()


class CaseReplies:
    """The client of one call of a case, and the replies that it got."""

    def __init__(self, case: PlannedCase) -> None:
        self._case = case
        self.recording = options_of(case.item.config).replies == "record"
        self.client = case_client(case)
        self._changing: list[ChangingCall] = []
        self._rerun = False
        case.item.stash[_CASE] = self

    def reruns(self, samples: Sequence[int], scored: Sequence[bool]) -> Sequence[int]:
        """Return the samples to run again, to find what a replay would not ask again.

        None outside a recording, without calls, if a sample has no score, or if a fixture of the
        test serves a single call.
        """
        if not (self.recording and self.client.used and all(scored)):
            return ()
        self._rerun = self._can_be_called_again()
        return samples if self._rerun else ()

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
            unchecked=bool(client.used) and not self._rerun,
        )

    def _can_be_called_again(self) -> bool:
        item = self._case.item
        if not isinstance(item, pytest.Function):
            return False
        safe = {*self._case.test.rerun_safe, *options_of(item.config).rerun_safe}
        return all(
            definition.scope != "function" or fixture_label(name) in safe
            for name, definition in project_fixtures(item)
        )


def reported_usage(item: pytest.Item) -> RepliesUsage | None:
    """Return the replies of the item's case and forget them; None where it is no case."""
    replies = item.stash.get(_CASE, None)
    if replies is None:
        return None
    del item.stash[_CASE]
    return replies.usage()
