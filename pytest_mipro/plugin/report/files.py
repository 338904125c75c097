"""Write the report files once, at the session's end; with workers, on the controller."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from pytest_mipro.errors import MiproError
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.config.redaction import redaction
from pytest_mipro.plugin.gate.verdict_types import Verdict
from pytest_mipro.plugin.report.contents import run_report
from pytest_mipro.plugin.report.json_report import json_report
from pytest_mipro.plugin.report.markdown import markdown_report
from pytest_mipro.runtime.text.files import atomic_write

_LINES = pytest.StashKey[list[tuple[str, bool]]]()
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write_reports(session: pytest.Session, verdicts: Sequence[Verdict]) -> None:
    """Write the files that were asked for, and append to GitHub's job summary where there is one.

    A report that can't be written fails the run; a job summary, which no option asks for, does not.
    """
    config, options = session.config, options_of(session.config)
    report = run_report(config, session.exitstatus, verdicts)
    lines = config.stash.setdefault(_LINES, [])
    try:
        redact = redaction(config)
        markdown = markdown_report(report, redact)
        texts = {options.json: json_report(report, redact), options.markdown: markdown}
        for path in (options.json, options.markdown):
            if path is not None:
                atomic_write(path, texts[path])
                lines.append((f"wrote {format_path(config, path)}", True))
    except (MiproError, OSError) as error:  # a hook that takes secrets out failed, or a full disk
        lines.append((f"no report: {error}", False))
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return
    summary = os.environ.get(STEP_SUMMARY)
    if summary and (report.studies or report.optimizations):
        try:
            with open(summary, "a", encoding="utf-8") as file:  # noqa: PTH123 - a name as given
                file.write(f"{markdown}\n")
        except OSError as error:
            problem = error.strerror or error
            lines.append((f"{STEP_SUMMARY}={summary} can't be written ({problem})", False))


def write_report_lines(terminal: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which reports were written, as pytest says it of its own."""
    for line, well in config.stash.get(_LINES, []):
        terminal.write_sep("-", f"mipro: {printable(line)}", **({} if well else {"red": True}))
