"""Writing recorded replies at the end of a run, in the process that has all reports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.errors import RepliesFileError
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.config.words import counted
from pytest_mipro.plugin.gate.provenance import observed_studies
from pytest_mipro.plugin.gate.replies_ledger import replies_counted, studies_with_replies
from pytest_mipro.plugin.gate.state import known_state
from pytest_mipro.plugin.replies.stack import replies_path
from pytest_mipro.runtime.replies.replies_file import dump_replies, read_replies
from pytest_mipro.runtime.text.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_mipro.plugin.gate.replies_ledger import StudyReplies
    from pytest_mipro.plugin.gate.verdict import Verdict
    from pytest_mipro.plugin.measuring.measure import Status
    from pytest_mipro.runtime.replies.recorded import RecordedReply

RECORDER = "mipro-replies-recorder"
_ENDED: tuple[Status, ...] = ("passed", "missed", "skipped")
_SHOWN = 5


class Recorder:
    """Writes each study's file: what the run used, and nothing else where the run was whole."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lines: list[tuple[str, str]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files that change."""
        for study in studies_with_replies(self._config).values():
            path = replies_path(study.lock)
            try:
                self._write(study, path)
            except (RepliesFileError, OSError) as error:
                shown = format_path(self._config, path)
                self._say(f"{shown} is not written: {error}", "red")
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Tell what was recorded, and what can't be replayed."""
        if self._lines:
            terminalreporter.write_sep("-", "mipro: replies")
        for line, colour in self._lines:
            terminalreporter.write_line(line, **{colour: True})

    def _say(self, line: str, colour: str) -> None:
        self._lines.append((line, colour))

    def _write(self, study: StudyReplies, path: Path) -> None:
        shown = format_path(self._config, path)
        before = read_replies(path, shown)
        whole = self._whole(study)
        kept = [reply for reply in before if not whole or self._unseen(study, reply)]
        after = merged(kept, study.used)
        text = dump_replies(after)
        if after or path.exists():
            changed = not path.exists() or path.read_text(encoding="utf-8") != text
            if changed:
                atomic_write(path, text)
            self._say(f"{shown}: {_told(before, after)}{'' if whole else _PART}", "green")
        for case, module, difference in (changing := study.changing)[:_SHOWN]:
            self._say(
                f"not replayable: {case}, LM module {module!r}: in a second run {difference}; give "
                "it a fixed clock or seed in the test",
                "red",
            )
        if len(changing) > _SHOWN:
            self._say(f"not replayable: {len(changing) - _SHOWN:,} calls more", "red")
        if study.unprobed:
            self._say(
                f"{counted(study.unprobed, 'case')} not looked through for clocks and random ids: "
                "a fixture of function scope serves one call (rerun_safe)",
                "yellow",
            )

    def _whole(self, study: StudyReplies) -> bool:
        """Return whether every case of the study came to an end that shows all of its calls."""
        observed = observed_studies(self._config).get(str(study.lock))
        if observed is None or observed.partial:
            return False
        counts = [verdict.counts for verdict in self._verdicts(study)]
        ended = sum(count.get(status, 0) for count in counts for status in _ENDED)
        return ended == observed.selected

    def _unseen(self, study: StudyReplies, reply: RecordedReply) -> bool:
        """Return whether a reply is of a test that this run did not even collect.

        It lies in another file of a named study, or beside a test that was named by its node id.
        """
        file, separator, _ = reply.case.partition("::")
        cases = [result.id for verdict in self._verdicts(study) for result in verdict.results]
        if separator and (study.lock.parent / file).is_file():
            return not any(case.startswith(f"{file}::") for case in cases)
        test = reply.case.partition("[")[0]
        named = any("::" in argument for argument in self._config.args)
        return named and not any(case.partition("[")[0] == test for case in cases)

    def _verdicts(self, study: StudyReplies) -> list[Verdict]:
        state, lock = known_state(self._config), str(study.lock)
        return [v for v in state.verdicts if v.plan.lock == lock] if state else []


def record_at_end(config: pytest.Config) -> None:
    """Have the replies that the reports tell of written at the run's end, in a recording run."""
    manager = config.pluginmanager
    if options_of(config).replies == "record" and not manager.hasplugin(RECORDER):
        manager.register(Recorder(config), RECORDER)


_PART = "; only part of the cases came to an end, so none was removed"


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


def _told(before: list[RecordedReply], after: list[RecordedReply]) -> str:
    old, new = ({reply.key: reply for reply in replies} for replies in (before, after))
    changed = sum(old[key] != reply for key, reply in new.items() if key in old)
    parts = [
        f"{count:,} {what}"
        for count, what in (
            (len(new.keys() - old.keys()), "new"),
            (changed, "changed"),
            (len(old.keys() - new.keys()), "removed"),
        )
        if count
    ]
    return f"{replies_counted(len(after))} recorded, {', '.join(parts) or 'as before'}"
