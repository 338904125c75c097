"""The area on a terminal that shows how a study goes, drawn by rich below all other lines."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import TextIOBase
from threading import local
from typing import TextIO

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.optimise.screen.labelled_lines import LABEL_WIDTH
from pytest_mipro.plugin.optimise.screen.study_watch import StudyWatch

_BAR_SHARE = 3  # a third of the window, as far as the label leaves room
_HEIGHT = 24
_ECHO = "^C"  # a terminal writes it behind the last row, which must not wrap for it
_DRAWN_A_SECOND = 4.0


def live_area(watch: StudyWatch, file: TextIO, width: Callable[[], int], *, colour: bool) -> Live:
    """Return the area of a study; as a `with` block it is drawn, and leaves nothing behind.

    It goes to `file`, a terminal of that `width`, which may change. pytest decides on `colour`.
    """
    console = Console(
        file=file,
        force_terminal=True,
        no_color=not colour,
        highlight=False,
        legacy_windows=False,
    )

    def drawn() -> Group:
        columns = width()
        console.size = ConsoleDimensions(columns, _height(file))
        return area(watch, columns)

    return Live(
        console=console,
        get_renderable=drawn,
        refresh_per_second=_DRAWN_A_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def area(watch: StudyWatch, width: int) -> Group:
    """Return what is drawn of a study at a width: a title, the stage with its bar, and figures."""
    standing = watch.standing
    bar = ProgressBar(
        total=standing.total or None,
        completed=standing.done,
        width=max(4, min(width // _BAR_SHARE, width - LABEL_WIDTH)),
        complete_style="cyan",  # rich's own is red, which in pytest means a failure
        finished_style="green",
    )
    stage = Table.grid(padding=(0, 2, 0, 0))
    stage.add_row(bar, Text(standing.steps))
    rows = Table.grid(expand=True)
    rows.width = max(LABEL_WIDTH + 1, width - len(_ECHO))
    rows.add_column(width=LABEL_WIDTH, no_wrap=True)
    rows.add_column(ratio=1)
    rows.add_row(Text(standing.stage, "bold"), stage)
    for label, text in watch.rows():
        rows.add_row(label, Text(text))
    title = Text(printable(f"mipro: {standing.study}"), overflow="ellipsis", no_wrap=True)
    return Group(Rule(title, align="left", style="cyan"), rows)


def _height(file: TextIO) -> int:
    try:
        return max(1, os.get_terminal_size(file.fileno()).lines)
    except (OSError, ValueError):
        return _HEIGHT


class AboveArea(TextIOBase):
    """A text file whose whole lines are written above the area; `file` is the one below it."""

    def __init__(self, console: Console, file: TextIO) -> None:
        self._console = console
        self._file = file
        self._begun = local()  # a line for each thread: they would mix

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the file below."""
        return str(self._file.encoding)

    def fileno(self) -> int:
        """Return the file descriptor of the file below."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Return True: there is an area on terminals alone."""
        return True

    def write(self, text: str) -> int:
        """Write all whole lines, and keep the rest for this thread's next call."""
        *lines, self._begun.text = (self._rest() + text).split("\n")
        if lines:
            shown = Text("\n").join(map(Text.from_ansi, lines))
            self._console.print(shown, soft_wrap=True)
        return len(text)

    def finish(self) -> None:
        """Write this thread's last line, if it has no end yet."""
        if self._rest():
            self.write("\n")

    def _rest(self) -> str:
        return str(getattr(self._begun, "text", ""))
