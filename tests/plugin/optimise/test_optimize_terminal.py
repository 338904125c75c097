"""The optimisation on a real terminal: an area in place, colours, and nothing between."""

import os
import re
import subprocess
import sys

import pyte
import pytest
from optimize_project import TESTS, write_project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")

LOUD = TESTS.replace(
    "    assert", "    import os\n    print('a print')\n    os.write(1, b'a write')\n    assert"
)


def on_a_terminal(
    pytester: pytest.Pytester, *args: str, columns: int = 80, **variables: str
) -> str:
    """Return what pytest writes to a terminal of this width."""
    master, slave = os.openpty()
    environment = os.environ | {
        "COLUMNS": str(columns),
        "TERM": "xterm",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    for name in ("NO_COLOR", "PY_COLORS", "CI", "FORCE_COLOR"):
        environment.pop(name, None)
    environment |= variables
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--mipro-optimize", "--mipro-trials=4", *args],
        cwd=pytester.path,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
    )
    os.close(slave)
    output = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux tells the end so
            break
        if not part:
            break
        output += part
    os.close(master)
    assert process.wait(30) == 0
    return output.decode()


def shown(output: str, columns: int) -> list[str]:
    """Return the lines as they stand on the screen at the end."""
    screen = pyte.HistoryScreen(columns, 50, history=10_000)
    pyte.Stream(screen).feed(output)
    old = ["".join(line[place].data for place in range(columns)) for line in screen.history.top]
    return [line.rstrip() for line in (*old, *screen.display)]


@pytest.mark.parametrize(("args", "columns"), [((), 80), (("-v",), 50), (("-s",), 160)])
def test_the_area_is_redrawn_in_place_and_leaves_nothing(pytester, columns, args):
    write_project(
        pytester, LOUD if args != ("-s",) else LOUD.replace("os.write(1, b'a write')", "0")
    )
    output = on_a_terminal(pytester, *args, columns=columns)
    assert "case runs" in output
    assert "answered" in output
    assert "\x1b[32m+  Look carefully" in output
    lines = shown(output, columns)
    assert not [line for line in lines if "━" in line or "answered" in line]
    printed = [line for line in lines if "a print" in line or "a write" in line]
    assert all(line == "a print" for line in printed)
    assert bool(printed) == (args == ("-s",))
    start = lines.index("mipro: test_numbers.py")
    assert [line for line in lines[start + 1 :] if line.startswith("before      ")]
    assert printed or any("[100%]" in line for line in lines)
    assert "test_numbers.py" not in lines, "with -v, pytest's own line says which item passed"


def test_a_quiet_run_has_the_area_alone(pytester):
    """`-q` is in many a project's `addopts`: a run that spends money must not look dead for it."""
    write_project(pytester)
    output = on_a_terminal(pytester, "-q")
    assert "answered" in output
    lines = shown(output, 80)
    assert not [line for line in lines if "━" in line or line.startswith(("trial", "plan"))]
    assert "." in [line.split(" ")[0] for line in lines]


def test_no_color_holds(pytester):
    write_project(pytester)
    output = on_a_terminal(pytester, NO_COLOR="1")
    assert "answered" in output
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", output)


def test_each_trial_has_a_line_and_improvements_are_bold_where_pytest_is_told_so(pytester):
    write_project(pytester)
    output = on_a_terminal(pytester, "--color=yes", NO_COLOR="1")
    numbers = [int(n) for n in re.findall(r"trial       +(\d+)  ", output)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert re.search(r"trial .* by estimate from 8 rows", output)
    assert re.search(r"trial .* on all \d+ rows", output)
    assert re.search(r"\x1b\[1mtrial .* best [01]\.\d+\x1b\[0m", output)
    assert "\x1b[32mdecision    better" in output
    assert "\x1b[32m+  Look carefully" in output
