"""Record a run of the example for the README: its terminal and its report page, in docs/images/.

    python benchmarks/record_run.py

The run is a real one in a copy of the example, with an empty cache. terminal.svg shows what was on
the screen while it searched, and the last lines of its end; report.png is the top of the page that
it left, in a headless Chromium.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyte
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)
SEARCHING = re.compile(r" [5-8]\d % of the search")  # a quick run may show no single one of them
COLUMNS, ROWS = 100, 400
SHOWN_BEFORE, SHOWN_AFTER = 15, 13
PAGE_SIZE = "1280,1160"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
COMMAND = ("-m", "pytest", "--mipro-optimize", "-p", "no:cacheprovider")


def output_of(folder: Path) -> Iterator[bytes]:
    """Run the optimisation on a terminal of its own; give what it writes, as it comes."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", PYTHONPATH=str(ROOT))
        os.execv(sys.executable, [sys.executable, *COMMAND])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        while part := os.read(terminal, 65536):
            yield part
    except OSError:  # Linux tells the end so
        pass
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def lines_of(screen: Any) -> list[Text]:
    """Return the screen's lines with their colours, without the empty ones at its end."""
    lines = []
    for row in range(screen.lines):
        line = Text()
        for column in range(screen.columns):
            char = screen.buffer[row][column]
            colour = "" if char.fg == "default" else char.fg.replace("brown", "yellow")
            if len(colour) == 6 and all(digit in "0123456789abcdef" for digit in colour):
                colour = f"#{colour}"
            line.append(char.data, f"{'bold ' * char.bold}{colour}".strip())
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def picture(during: list[Text], after: list[Text]) -> str:
    """Return the SVG: the lines around the live area, then the last ones of the run."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(Text("$ pytest --mipro-optimize", "bold"))
    for line in (*during[-SHOWN_BEFORE:], Text("…", "dim"), *after[-SHOWN_AFTER:]):
        console.print(line, no_wrap=True, crop=True)
    # Without rich's web fonts: the picture loads nothing, and looks the same everywhere.
    return FONT.sub("", console.export_svg(title="pytest --mipro-optimize"))


def photograph(page: Path, target: Path) -> None:
    """Write the top of the page as it looks in a window of `PAGE_SIZE`, in the light theme."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"no Chromium is installed: {target.name} stays as it is")
    options = ("--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=5000")
    quiet = subprocess.DEVNULL
    where = (f"--screenshot={target}", f"--window-size={PAGE_SIZE}", page.as_uri())
    subprocess.run([browser, *options, *where], check=True, stdout=quiet, stderr=quiet, timeout=60)


def written(target: Path) -> None:
    """Say what was written."""
    print(f"wrote {target}: {target.stat().st_size:,} bytes")


def main() -> None:
    """Run the example and write both pictures."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    during: list[Text] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "example_project"
        ignored = shutil.ignore_patterns(".mipro", "*.mipro.json", "*.yaml", "__pycache__")
        shutil.copytree(ROOT / "example_project", copy, ignore=ignored)
        for part in output_of(copy):
            stream.feed(part)
            shown = [line.rstrip() for line in screen.display]
            if any(map(SEARCHING.search, shown)) and any(
                line.startswith("time  ") for line in shown
            ):
                during = lines_of(screen)
        if not during:
            raise SystemExit("the run never showed its search: look at its output")
        terminal, report = IMAGES / "terminal.svg", IMAGES / "report.png"
        terminal.write_text(picture(during, lines_of(screen)), encoding="utf-8")
        written(terminal)
        (page,) = (copy / ".mipro" / "report").glob("*/index.html")
        photograph(page, report)
        written(report)
        if len(sys.argv) > 1:
            shutil.copy(page, sys.argv[1])


if __name__ == "__main__":
    main()
