"""Where replies come from in a run (`--mipro-replies`): the client of each study, case and fixture.

| mode | what is asked, in this order |
|---|---|
| auto | the study's recorded replies, the cache, the model |
| record | the cache, the recorded replies, the model; what was used is written at the end |
| replay | the recorded replies, and nothing else |
| fresh | the model; the cache keeps what it said |
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.plugin.config.cache_folder import given_up
from pytest_mipro.plugin.config.configured import options_in_force
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.redaction import redactor
from pytest_mipro.plugin.config.shown_path import shown_path
from pytest_mipro.plugin.lock.lock_schema import SUFFIX as LOCK_SUFFIX
from pytest_mipro.plugin.measuring.fixtures import fixture_label, project_fixtures
from pytest_mipro.plugin.replies.client import client_of, close_client
from pytest_mipro.plugin.replies.clients import NotingClient, RecordingClient
from pytest_mipro.plugin.replies.notices import warnings_on_terminal
from pytest_mipro.plugin.replies.outside import OutsideClient, Place
from pytest_mipro.plugin.replies.probe import ProbeClient
from pytest_mipro.runtime.calls.context import CallContext, process_default
from pytest_mipro.runtime.prompts.prompt_file import forget_committed_prompts
from pytest_mipro.runtime.replies.recorded import RecordedClient, RecordedReplies, key_of, recorded
from pytest_mipro.runtime.replies.replies_file import SUFFIX, read_replies, to_line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from pytest_mipro.plugin.collecting.plan import PlannedCase
    from pytest_mipro.plugin.replies.probe import Changing
    from pytest_mipro.runtime.client.contract import LMClient

_RECORDED = pytest.StashKey[dict["Path", RecordedReplies]]()
_REDACT = pytest.StashKey[Any]()
_CASE = pytest.StashKey["CaseReplies"]()


def replies_path(lock: Path) -> Path:
    """Return where the replies of a lock's study are recorded."""
    return lock.with_name(f"{lock.name.removesuffix(LOCK_SUFFIX)}{SUFFIX}")


def recorded_replies(config: pytest.Config, lock: Path) -> RecordedReplies:
    """Return the recorded replies of a lock's study, read once a session.

    Raises RepliesFileError naming the line.
    """
    known = config.stash.setdefault(_RECORDED, {})
    if lock not in known:
        path = replies_path(lock)
        name = shown_path(config, path)
        known[lock] = RecordedReplies(name, read_replies(path, name))
    return known[lock]


def study_client(config: pytest.Config, lock: Path, case: str = "") -> LMClient:
    """Return what answers the calls of a study, or of one case of it."""
    if options_of(config).replies == "fresh":
        return client_of(config)
    return _client(config, recorded_replies(config, lock), case)


def _client(config: pytest.Config, replies: RecordedReplies, case: str) -> LMClient:
    mode = options_of(config).replies
    if mode == "record":
        redact = config.stash.setdefault(_REDACT, redactor(config))
        return RecordingClient(client_of(config), replies, redact)
    if mode == "replay":
        return RecordedClient(replies, None, case)
    recorded_ones = mode == "auto" and len(replies) > 0
    return RecordedClient(replies, client_of(config), case) if recorded_ones else client_of(config)


def _joined(files: Sequence[RecordedReplies]) -> RecordedReplies:
    name = ", ".join(file.name for file in files)
    return RecordedReplies(name, (reply for file in files for reply in file))


class CaseReplies:
    """The client of one call of a case, and what it was given."""

    def __init__(self, case: PlannedCase) -> None:
        config = case.item.config
        self._case = case
        self._inner = study_client(config, case.study.lock, case.id)
        self.recording = options_of(config).replies == "record"
        self.client = NotingClient(self._inner, keep=self.recording)
        self._changing: list[Changing] = []
        self._probed = False
        case.item.stash[_CASE] = self

    def probes(self, samples: Sequence[int], scored: Sequence[bool]) -> Sequence[int]:
        """Return the samples to run once more, to find what a replay would not ask for again.

        None outside a recording, without calls, where a sample has no score, or where a fixture of
        the test serves one call alone.
        """
        if not (self.recording and self.client.used and all(scored)):
            return ()
        self._probed = self._can_be_called_again()
        return samples if self._probed else ()

    def probe(self, sample: int) -> ProbeClient:
        """Return the client of a second run of a sample, which asks nobody."""
        return ProbeClient(use for use in self.client.used if use.request.sample == sample)

    def learn(self, probe: ProbeClient) -> None:
        """Keep what the second run found."""
        self._changing += probe.changing

    def facts(self) -> dict[str, Any]:
        """Return what the controller needs to know, as JSON values."""
        client = self.client
        given: dict[str, Any] = {
            "lock": str(self._case.study.lock),
            "calls": client.calls,
            "recorded": getattr(self._inner, "served", 0),
            "oldest": client.oldest if client.oldest < math.inf else 0.0,
        }
        if self.recording:
            lost = {each.key for each in self._changing}
            used = [use for use in client.used if key_of(use.request) not in lost]
            given["used"] = [
                to_line(recorded(self._case.id, use.module, use.request, use.reply)) for use in used
            ]
            given["changing"] = [
                [self._case.id, each.module, each.difference] for each in self._changing
            ]
            given["unprobed"] = bool(client.used) and not self._probed
        return given

    def _can_be_called_again(self) -> bool:
        item = self._case.item
        if not isinstance(item, pytest.Function):
            return False
        safe = {*self._case.mark.rerun_safe, *options_of(item.config).rerun_safe}
        return all(
            definition.scope != "function" or fixture_label(name) in safe
            for name, definition in project_fixtures(item)
        )


class _Telling:
    """Sends on the reports what was used."""

    def __init__(self, config: pytest.Config, place: Place) -> None:
        self._config = config
        self._place = place

    @pytest.hookimpl
    def pytest_report_collectionfinish(self) -> str | None:
        """Say what a fresh optimisation, or one without a cache, gives up."""
        options = options_of(self._config)
        lost = given_up(options) if options.optimize and not options.dry_run else None
        return f"mipro: {lost}" if lost else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach to the report what was used since the last one, as JSON values."""
        report = yield
        facts: dict[str, Any] = {}
        if call.when == "call" and _CASE in item.stash:
            facts["case"] = item.stash[_CASE].facts()
            del item.stash[_CASE]
        if outside := self._place.taken():
            facts["outside"] = outside
        if facts:
            report.mipro_replies = facts  # type: ignore[attr-defined]
        return report


class _Tracking:
    """Tracks who calls modules outside cases; registered where that makes a difference."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note which item runs."""
        self._place.item = item
        try:
            return (yield)
        finally:
            self._place.item = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Note which fixture is being set up."""
        __tracebackhide__ = True  # what a fixture raises is shown from the user's code on
        self._place.fixtures.append(fixturedef)
        try:
            return (yield)
        finally:
            self._place.fixtures.pop()


def begin_replies(config: pytest.Config, cases: Sequence[PlannedCase]) -> LMClient:
    """Read the recorded replies of the cases' studies; return what answers calls outside cases.

    Raises RepliesFileError naming the line.
    """
    locks = sorted({case.study.lock for case in cases}, key=str)
    fresh = options_of(config).replies == "fresh"
    replies = _joined([] if fresh else [recorded_replies(config, lock) for lock in locks])
    place = Place(cases)
    config.pluginmanager.register(_Telling(config, place), "mipro-replies")
    if len(replies) or options_of(config).replies in ("record", "replay"):
        config.pluginmanager.register(_Tracking(place), "mipro-replies-tracking")
    return OutsideClient(place, lambda case: _client(config, replies, case), options_of(config))


@contextmanager
def serving(config: pytest.Config, cases: Sequence[PlannedCase]) -> Iterator[None]:
    """Serve module calls of this process by the run's client and options, and close it at the end.

    The cases are those of the run: calls outside them are answered as their studies' are. Prompt
    files are read afresh. What was set before is set again afterwards, as pytest may run inside a
    longer process.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings_on_terminal())
        stack.callback(close_client, config)
        forget_committed_prompts()
        stack.enter_context(options_in_force(config))
        outside = begin_replies(config, cases)
        stack.enter_context(process_default(CallContext(outside)))
        yield
