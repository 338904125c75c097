"""The hooks of every pytest run. Thin: all else is imported when a marked test exists."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.plugin.config.options import add_options, options_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_mipro.plugin.gate.state import RunState
    from pytest_mipro.runtime.client.contract import LMClient

_METRIC = "mipro"
_MARKS = frozenset({_METRIC, "mipro_cases"})
_MARK_LINES = (
    (
        "mipro(threshold, pass_score=1.0, repeats=1, max_regression, confidence, group, study, "
        "labels, rerun_safe, concurrent=True, models): a metric-bearing test; its cases are scored "
        "in 0…1, and `pytest --mipro-optimize` improves the prompts that they use."
    ),
    "mipro_cases(path): internal to pytest-mipro; written as @pytest_mipro.cases(path).",
)
_RUN = pytest.StashKey["RunState"]()
_REFUSED = pytest.StashKey[str]()
_INTERRUPTED = "keyboard-interrupt"  # ends what pytest-xdist says of such a worker


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare options and ini keys."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the extension points."""
    from pytest_mipro.plugin import hookspecs  # noqa: PLC0415

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and refuse options that can't be used before anything is collected."""
    for line in _MARK_LINES:
        config.addinivalue_line("markers", line)
    options = options_of(config)
    if vars(options):
        from pytest_mipro.plugin.config.option_conflicts import refuse_conflicts  # noqa: PLC0415

        refuse_conflicts(config)
    if options.replies == "replay":
        from pytest_mipro.plugin.replies.outside_cases import refuse_calls  # noqa: PLC0415

        refuse_calls(config)
    config.pluginmanager.register(_Reports(config), "mipro-reports")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check the mark of a test and parametrise it from its case file."""
    if _has_mark(metafunc.definition):
        from pytest_mipro.plugin.collecting.cases import parametrise  # noqa: PLC0415

        try:
            parametrise(metafunc)
        except pytest.Collector.CollectError as error:
            metafunc.config.stash[_REFUSED] = str(error)
            raise


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Refuse marked tests that can't be measured, before any selection, as a collection error."""
    report = yield
    _shorten_own_error(report, collector.config)
    inherited = _has_mark(collector)
    marked = [
        node
        for node in report.result or ()
        if isinstance(node, pytest.Item) and (inherited or _own_mark(node))
    ]
    if marked:
        from pytest_mipro.plugin.collection_checks import refused  # noqa: PLC0415

        problem = refused(collector.config, marked)
        if problem is not None:
            report.outcome, report.longrepr, report.result = "failed", problem, []
    return report


def _shorten_own_error(report: pytest.CollectReport, config: pytest.Config) -> None:
    """Show an error of the package's own at import, such as a bad module, by its text alone.

    So is one of a mark or a case file: pytest's short summary shows a text, and no CollectError.
    """
    if report.failed and _REFUSED in config.stash:
        report.longrepr = config.stash[_REFUSED]
        del config.stash[_REFUSED]
        return
    crash = getattr(report.longrepr, "reprcrash", None)
    kind, _, text = crash.message.partition(": ") if crash is not None else ("", "", "")
    if kind.startswith("pytest_mipro.errors."):
        report.longrepr = text


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin the marked part of the run, where there is one; else serve unmarked module calls.

    The items tell: a hook of a conftest may have marked them after they were collected.
    """
    options = options_of(session.config)
    marked = any(item.get_closest_marker(_METRIC) for item in session.items)
    if marked or options.optimize or options.update_lock:
        from pytest_mipro.plugin.session import begin  # noqa: PLC0415

        begin(_run(session.config), session)
    elif "pytest_mipro.runtime.settings" in sys.modules:  # the project has LM modules
        from pytest_mipro.plugin.config.apply_options import options_in_force  # noqa: PLC0415

        stack = ExitStack()
        stack.enter_context(options_in_force(session.config))
        session.config.add_cleanup(stack.close)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Report the verdicts after the last test; under xdist on the controller alone."""
    try:
        result = yield
    except BaseException as error:
        # After -x what did not run makes its test's verdict incomplete; after Ctrl-C what was paid
        # until then is billed.
        stopped = _stopped(session, error)
        _conclude(session.config, judged=bool(stopped), stopped=stopped)
        raise
    _conclude(session.config)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the package's own errors in one line, and none of its frames in tracebacks."""
    if call.excinfo is None or not _is_own_error(call.excinfo.type):
        return (yield)
    from pytest_mipro.plugin.gate.error_reports import drop_traceback, trim_traceback  # noqa: PLC0415

    excinfo = call.excinfo
    trim_traceback(excinfo)
    return drop_traceback((yield), excinfo)


def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, Any] | None:
    """Name the outcomes that only marked tests have."""
    if not hasattr(report, "mipro"):
        return None
    from pytest_mipro.plugin.session import status_of  # noqa: PLC0415

    return status_of(report)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write one block a study, and which reports were written."""
    if _RUN in config.stash:
        from pytest_mipro.plugin.session import summarise  # noqa: PLC0415

        summarise(_run(config), terminalreporter)
    if _reports_wanted(config):
        from pytest_mipro.plugin.report.files import write_report_lines  # noqa: PLC0415

        write_report_lines(terminalreporter, config)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Write the reports of what was written before, and close the client at the very end."""
    run = session.config.stash.get(_RUN, None)
    try:
        result = yield
        if _reports_wanted(session.config):
            from pytest_mipro.plugin.report.files import write_reports  # noqa: PLC0415

            write_reports(session, run.verdicts if run is not None else ())
        return result
    finally:
        if run is not None:
            run.end()


@pytest.hookimpl(trylast=True)
def pytest_mipro_client(config: pytest.Config) -> LMClient:
    """Return the built-in client: each model's own provider."""
    from pytest_mipro.plugin.replies.client_stack import live_client  # noqa: PLC0415

    return live_client(config)


def _reports_wanted(config: pytest.Config) -> bool:
    """Return whether this process writes reports; a job summary alone asks for no empty one."""
    if hasattr(config, "workerinput"):
        return False
    options = options_of(config)
    asked = (
        options.json is not None
        or options.markdown is not None
        or options.optimize
        or options.report
    )
    return asked or (_RUN in config.stash and bool(os.environ.get("GITHUB_STEP_SUMMARY")))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist when the run began: replies older than that are not fresh."""
    if options_of(node.config).replies == "fresh":
        from pytest_mipro.plugin.replies.client_stack import STARTED, run_start  # noqa: PLC0415

        node.workerinput[STARTED] = run_start(node.config)


class _Reports:
    """Passes the reports of marked cases on, on an xdist controller too."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what is attached to a report, before the terminal draws it."""
        if hasattr(report, "mipro") and not hasattr(self._config, "workerinput"):
            from pytest_mipro.plugin.session import record_report  # noqa: PLC0415

            record_report(_run(self._config), report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, None, None]:
        """Count all errors in the last line, after the summary that shows each kind once."""
        yield
        if _RUN in self._config.stash:
            from pytest_mipro.plugin.gate.error_reports import count_as_errors  # noqa: PLC0415

            count_as_errors(terminalreporter.stats)


def _run(config: pytest.Config) -> RunState:
    """Return the state of the marked run, which the first marked test or report makes."""
    if _RUN not in config.stash:
        from pytest_mipro.plugin.gate.state import RunState  # noqa: PLC0415

        config.stash[_RUN] = RunState(config)
    return config.stash[_RUN]


def _stopped(session: pytest.Session, error: BaseException) -> str:
    """Return why a run ends before its last case by an option, "" where it was interrupted.

    pytest ends -x and --maxfail by one exception, --stepwise by another; pytest-xdist has its own.
    """
    if isinstance(error, session.Failed | session.Interrupted):
        return str(session.shouldfail or session.shouldstop or "")
    text = str(error) if type(error).__module__ == "xdist.dsession" else ""
    return "" if text.endswith(_INTERRUPTED) else text


def _conclude(config: pytest.Config, *, judged: bool = True, stopped: str = "") -> None:
    if _RUN in config.stash and not hasattr(config, "workerinput"):
        from pytest_mipro.plugin.session import bill_cases, judge_tests  # noqa: PLC0415

        _run(config).stopped = stopped
        bill_cases(_run(config))
        if judged:
            judge_tests(_run(config))


def _is_own_error(kind: type[BaseException]) -> bool:
    """Return whether it is an error of this package, without importing what defines them."""
    return any(base.__module__ == "pytest_mipro.errors" for base in kind.__mro__)


def _own_mark(node: Any) -> bool:
    return any(mark.name in _MARKS for mark in node.own_markers)


def _has_mark(node: Any) -> bool:
    return any(map(_own_mark, node.listchain()))
