"""Write the replies files at the end of a recording run, in the process that has all reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.errors import RepliesFileError
from pytest_mipro.plugin.config.cache_folder import mipro_folder
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.config.printable import PrintableTerminal
from pytest_mipro.plugin.gate.provenance import (
    StudyReplies,
    count_replies,
    provenance_of,
    replies_used,
)
from pytest_mipro.plugin.gate.state import RunState
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.fixtures import is_fixture
from pytest_mipro.plugin.measuring.measure import Status
from pytest_mipro.plugin.replies.client_stack import replies_path
from pytest_mipro.runtime.calls.own_client import caller
from pytest_mipro.runtime.replies.recorded import RECORD, RecordedReply
from pytest_mipro.runtime.replies.replies_file import dump_replies, read_replies
from pytest_mipro.runtime.text.files import atomic_write, is_regular
from pytest_mipro.runtime.text.number_words import counted

RECORDER = "mipro-replies-recorder"
_ENDED: tuple[Status, ...] = ("passed", "missed", "skipped")
_SHOWN = 5
_DISPUTED = (
    "endpoints answered the same request differently, and a recording knows no endpoint; let the "
    "requests differ, as in the model's name"
)


class Recorder:
    """Writes each study's file: what the run used, and nothing else where the run was whole."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._config = state.config
        self._lines: list[tuple[str, str]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files that change."""
        for study in replies_used(self._config).values():
            path = replies_path(study.lock)
            shown = format_path(self._config, path)
            try:
                self._write(study, path, shown)
            except (RepliesFileError, OSError) as error:
                reason = (
                    f"{error.strerror or error}; free space or correct the permissions, and "
                    f"run `{RECORD}` again"
                    if isinstance(error, OSError)
                    else error
                )
                self._lines.append((f"{shown} is not written: {reason}", "red"))
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what was recorded, and what can't be replayed."""
        terminal = PrintableTerminal(terminalreporter)
        if self._lines:
            terminal.write_sep("-", "mipro: replies")
        for line, colour in self._lines:
            terminal.write_line(line, **{colour: True})

    def _write(self, study: StudyReplies, path: Path, shown: str) -> None:
        before, whole = read_replies(path, shown), self._whole(study)
        after = merged(self._kept(study, before) if whole else before, study.used)
        disputed = study.disputed
        after = [reply for reply in after if reply.key not in disputed]
        text = dump_replies(after)
        if after or path.exists():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                atomic_write(path, text, mipro_folder(self._config))
            part = "" if whole else "; only part of the cases came to an end, so none was removed"
            self._lines.append((f"{shown}: {_describe_change(before, after)}{part}", "green"))
        self._lines += _warnings(study)

    def _kept(
        self, study: StudyReplies, before: Sequence[RecordedReply]
    ) -> Sequence[RecordedReply]:
        """Return what a whole run keeps without a use: what tests need that it did not collect.

        So does a case that was skipped before it called anything, as on another platform. Their
        fixtures' replies name no test, so all of these stay with them.
        """
        results = (result for verdict in self._verdicts(study) for result in verdict.results)
        skipped = {it.id for it in results if it.outcome.skipped and not it.all_usages}
        kept = [it for it in before if it.case in skipped or self._not_collected(study, it)]
        known = {reply.key for reply in kept}
        of_fixtures = [it for it in before if is_fixture(it.case) and it.key not in known]
        return [*kept, *of_fixtures] if kept else []

    def _whole(self, study: StudyReplies) -> bool:
        """Return whether every case of the study came to an end that shows all of its calls."""
        selection = provenance_of(self._config).get(str(study.lock))
        counts = [verdict.counts for verdict in self._verdicts(study)]
        ended = sum(count.get(status, 0) for count in counts for status in _ENDED)
        return selection is not None and not selection.partial and ended == selection.selected

    def _not_collected(self, study: StudyReplies, reply: RecordedReply) -> bool:
        """Return whether a reply is of a test that this run did not collect.

        The test is in another file of a named study, or beside one that was named by its node id.
        """
        file, separator, _ = reply.case.partition("::")
        cases = [result.id for verdict in self._verdicts(study) for result in verdict.results]
        if separator and is_regular(study.lock.parent / file):
            return not any(case.startswith(f"{file}::") for case in cases)
        test = reply.case.partition("[")[0]
        named = any("::" in argument for argument in self._config.args)
        return named and not any(case.partition("[")[0] == test for case in cases)

    def _verdicts(self, study: StudyReplies) -> list[Verdict]:
        return [v for v in self._state.verdicts if v.plan.lock == str(study.lock)]


def record_at_end(state: RunState) -> None:
    """Have the replies files written at the run's end."""
    if not state.config.pluginmanager.hasplugin(RECORDER):
        state.config.pluginmanager.register(Recorder(state), RECORDER)


def _warnings(study: StudyReplies) -> Iterator[tuple[str, str]]:
    """Yield the lines on calls that can't be replayed, each with its colour."""
    changing = sorted(each for usage in study.cases.values() for each in usage.changing)
    for case, module, difference in changing[:_SHOWN]:
        call = f"{case}, {caller(module)}: in a second run {difference}"
        yield f"not replayable: {call}; give it a fixed clock or seed in the test", "red"
    if len(changing) > _SHOWN:
        yield f"not replayable: {counted(len(changing) - _SHOWN, 'more call')}", "red"
    keys, disputed = study.disputed, dict[str, RecordedReply]()
    for reply in sorted(study.used, key=lambda reply: reply.sort_key):
        if reply.key in keys:
            disputed.setdefault(reply.key, reply)
    for reply in list(disputed.values())[:_SHOWN]:
        call = f"{reply.case}, {caller(reply.module)}"
        yield f"not replayable: {call}: {_DISPUTED}", "red"
    if len(disputed) > _SHOWN:
        yield f"not replayable: {counted(len(disputed) - _SHOWN, 'more request')}", "red"
    unchecked = Counter(usage.unchecked for usage in study.cases.values() if usage.unchecked)
    for why, count in sorted(unchecked.items()):
        cases = f"{counted(count, 'case')} not checked for clocks and random ids"
        yield f"{cases}: {why}", "yellow"


def merged(kept: Iterable[RecordedReply], used: Iterable[RecordedReply]) -> list[RecordedReply]:
    """Return what a file holds after a run: what was used, and what is kept without a use.

    A reply that several cases used stands with the first of them, whatever order they ran in.
    """
    after = {reply.key: reply for reply in kept}
    places = {reply.key: reply.sort_key for reply in after.values()}
    newest: dict[str, RecordedReply] = {}
    for reply in sorted(used, key=lambda reply: (*reply.sort_key, reply.text)):
        newest.setdefault(reply.key, reply)
    for key, reply in newest.items():
        case, module, _ = min(places.get(key, reply.sort_key), reply.sort_key)
        after[key] = replace(reply, case=case, module=module)
    return list(after.values())


def _describe_change(before: list[RecordedReply], after: list[RecordedReply]) -> str:
    old, new = ({reply.key: reply for reply in replies} for replies in (before, after))
    changed = sum(old[key] != reply for key, reply in new.items() if key in old)
    added, removed = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    counts = {"new": added, "changed": changed, "removed": removed}
    parts = [f"{count:,} {what}" for what, count in counts.items() if count]
    return f"{count_replies(len(after))} recorded, {', '.join(parts) or 'as before'}"
