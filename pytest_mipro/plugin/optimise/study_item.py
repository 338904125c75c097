"""The item `optimize[<study>]`: stands behind a study's last case and runs the study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
from _pytest._code.code import ReprFileLocation
from _pytest._io import TerminalWriter

from pytest_mipro.errors import DetachedCallError, MiproError, StudyStoppedError, UsageError
from pytest_mipro.optimizer.budget.limits import limit_of
from pytest_mipro.plugin.collecting.plan import PlannedCase
from pytest_mipro.plugin.config.cache_folder import how_to_go_on
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.optimise.inputs.budget_limits import describe_error
from pytest_mipro.plugin.optimise.screen.terminal_screen import TerminalScreen


class OptimizeItem(pytest.Item):
    """One study's item; `run` optimises the study and draws it on the screen that it gets."""

    def __init__(self, *, run: Callable[[TerminalScreen], None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._run = run
        if _is_loaded(self.config, "timeout"):
            self.add_marker(pytest.mark.timeout(0))  # the time limit is one of single tests
        if _is_loaded(self.config, "rerunfailures"):
            self.add_marker(pytest.mark.flaky(reruns=0))  # the same replies end it the same way

    @classmethod
    def behind(
        cls, cases: Sequence[PlannedCase], study: str, run: Callable[[TerminalScreen], None]
    ) -> OptimizeItem:
        """Return the study's item, child of the nearest node that encloses all its cases.

        There it keeps alive the fixtures that the cases share.
        """
        chains = [case.item.listchain()[:-1] for case in cases]
        common = [nodes[0] for nodes in zip(*chains, strict=False) if len(set(nodes)) == 1]
        item: OptimizeItem = cls.from_parent(common[-1], name=f"optimize[{study}]", run=run)
        return item

    def runtest(self) -> None:
        """Optimise the study; raises StudyStoppedError where it ends before its decision."""
        try:
            with TerminalScreen(self.config, self.nodeid) as screen:
                self._run(screen)
        except MiproError as error:
            reason = f"{describe_error(self.config, error)}. Nothing is written for this study"
            if not isinstance(error, UsageError | DetachedCallError):
                limit = limit_of(error)
                once = "with a higher limit, " if limit else "once that is put right, "
                if limit and limit.currency == "seconds":  # each run has them anew
                    once = ""
                reason += f"; {how_to_go_on(options_of(self.config), once)}"
            raise StudyStoppedError(reason) from None

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Show what user code raised in hooks and strategies from its own frames on."""
        hidden = ("pluggy", "_pytest", str(Path(__file__).parents[2]))
        excinfo.traceback = excinfo.traceback.filter(
            lambda entry: not any(part in str(entry.path) for part in hidden)
        )
        return super().repr_failure(excinfo, style=style or "short")

    def tidy(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Reduce the report to why the study stopped: no frames of ours, no output of its cases."""
        report.sections.clear()
        if call.excinfo is not None and isinstance(call.excinfo.value, MiproError):
            report.longrepr = StoppedText(self, str(call.excinfo.value))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the path of the node around the item, and the item's name."""
        return self.path, None, self.name


def _is_loaded(config: pytest.Config, plugin: str) -> bool:
    """Return whether a plugin is there, by its entry point or by `-p` with its module's name."""
    return any(map(config.pluginmanager.hasplugin, (plugin, f"pytest_{plugin}")))


class StoppedText(str):
    """Why a study stopped, as pytest shows failures: in full, and in the short summary.

    It is a text to plugins that pass reasons on, as annotations of GitHub.
    """

    reprcrash: ReprFileLocation

    def __new__(cls, item: OptimizeItem, reason: str) -> Self:
        """Take the item and the reason."""
        text = super().__new__(cls, printable(reason))
        text.reprcrash = ReprFileLocation(item.nodeid.partition("::")[0], 0, str(text))
        return text

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the reason."""
        tw.line(str(self))
