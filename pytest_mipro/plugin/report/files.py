"""Write the report files once, at the session's end; with workers, on the controller."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

import pytest

from pytest_mipro.errors import MiproError
from pytest_mipro.plugin.config.cache_folder import mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.config.redaction import redaction
from pytest_mipro.plugin.config.study_files import StudyFile, ensure_study_folder, study_file
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.report.contents import RunReport, run_report
from pytest_mipro.plugin.report.json_report import json_report
from pytest_mipro.plugin.report.markdown import markdown_report
from pytest_mipro.plugin.report.page.gate_data import gate_data
from pytest_mipro.plugin.report.page.lock_history import lock_history
from pytest_mipro.plugin.report.page.optimization_data import optimization_data
from pytest_mipro.plugin.report.page.page import Contents, report_page
from pytest_mipro.runtime.text.files import atomic_write

_LINES = pytest.StashKey[list[tuple[str, bool]]]()
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write_reports(session: pytest.Session, verdicts: Sequence[Verdict]) -> None:
    """Write the files that were asked for and the pages of what was optimised.

    Appends to GitHub's job summary where there is one. A report that was asked for and can't be
    written fails the run; a page or a job summary that no option asks for does not.
    """
    config = session.config
    report = run_report(config, session.exitstatus, verdicts)
    markdown = _write_asked(session, report)
    for item in report.optimizations:
        _write_page(config, "report", item.result.study, partial(optimization_data, item))
    for study in report.studies if options_of(config).report else ():
        history = lock_history(report.root / study.lock)
        written = _write_page(config, "gate page", study.lock, partial(gate_data, study, history))
        if not written and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    summary = os.environ.get(STEP_SUMMARY)
    if markdown and summary and (report.studies or report.optimizations):
        try:
            with open(summary, "a", encoding="utf-8") as file:  # noqa: PTH123 - a name as given
                file.write(f"{markdown}\n")
        except OSError as error:
            problem = error.strerror or error
            _tell(config, f"{STEP_SUMMARY}={summary} can't be written ({problem})", well=False)


def _write_asked(session: pytest.Session, report: RunReport) -> str:
    """Write the JSON and the Markdown report where they go; return the latter, "" for neither."""
    config, options = session.config, options_of(session.config)
    try:
        redact = redaction(config)
        markdown = markdown_report(report, redact)
        texts = {options.json: json_report(report, redact), options.markdown: markdown}
        for path in (options.json, options.markdown):
            if path is not None:
                atomic_write(path, texts[path])
                _tell(config, f"wrote {format_path(config, path)}")
    except (MiproError, OSError) as error:  # a hook that takes secrets out failed, or a full disk
        _tell(config, f"no report: {error}", well=False)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return ""
    return markdown


def _write_page(config: pytest.Config, kind: StudyFile, study: str, contents: Contents) -> bool:
    """Write a study's page and say where it is, or why there is none; return whether it is."""
    path = study_file(mipro_folder(config), kind, study)
    try:
        page = report_page(study, contents, redaction(config))
        ensure_study_folder(path)
        atomic_write(path, page)
    except (MiproError, OSError) as error:
        _tell(config, f"no report page: {error}", well=False)
        return False
    _tell(config, f"report page {format_path(config, path)}")
    return True


def _tell(config: pytest.Config, line: str, *, well: bool = True) -> None:
    config.stash.setdefault(_LINES, []).append((line, well))


def write_report_lines(terminal: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which reports were written, as pytest says it of its own."""
    for line, well in config.stash.get(_LINES, []):
        terminal.write_sep("-", f"mipro: {printable(line)}", **({} if well else {"red": True}))
