"""The optimisation on a real terminal: a status line in place, colours, and nothing between."""

import os
import re
import subprocess
import sys

import pytest
from optimize_project import TESTS, write_project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")

LOUD = TESTS.replace(
    "    assert", "    import os\n    print('a print')\n    os.write(1, b'a write')\n    assert"
)


def on_a_terminal(pytester: pytest.Pytester, *args: str, columns: int = 80) -> str:
    """Return what pytest writes to a terminal of this width."""
    master, slave = os.openpty()
    environment = os.environ | {
        "COLUMNS": str(columns),
        "TERM": "xterm",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    for name in ("NO_COLOR", "PY_COLORS", "CI", "FORCE_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--mipro-optimize", "--mipro-trials=6", *args],
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


def shown(output: str) -> list[str]:
    """Return the lines as they stand on the screen at the end."""
    lines = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", output).replace("\r\n", "\n").split("\n"):
        screen = ""
        for part in line.split("\r"):
            text, cleared, _ = part.partition("\x1b[K")
            screen = text if cleared else text + screen[len(text) :]
        lines.append(screen.rstrip())
    return lines


@pytest.mark.parametrize("columns", [80, 50])
def test_the_status_is_rewritten_in_place_and_leaves_nothing(pytester, columns):
    write_project(pytester, LOUD)
    output = on_a_terminal(pytester, columns=columns)
    assert re.search(r"\rbaseline    [█░]{24} \d+/40", output)
    assert re.search(r"\rsearch      [█░]{24} \d/6", output)
    assert re.search(r"\rfinal pass  █{24} 40/40", output)
    lines = shown(output)
    assert not [line for line in lines if "█" in line or "░" in line]
    assert not [line for line in lines if "a print" in line or "a write" in line]
    start = lines.index("mipro: test_numbers.py")
    assert lines[start + 1].startswith("before      ")
    assert [line for line in lines if line.startswith("test_numbers.py .") and "[100%]" in line]
    statuses = re.findall(r"\r([^\r\n\x1b]+)\x1b\[K", output)
    assert statuses
    assert max(map(len, statuses)) < columns


def test_each_trial_has_a_line_and_improvements_are_bold(pytester):
    write_project(pytester)
    output = on_a_terminal(pytester)
    numbers = [int(n) for n in re.findall(r"trial       +(\d+)  ", output)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert re.search(r"trial .* by estimate from 8 rows", output)
    assert re.search(r"trial .* on all \d+ rows", output)
    assert re.search(r"\x1b\[1mtrial .* best [01]\.\d+\x1b\[0m", output)
    assert "\x1b[32mdecision    better" in output
    assert "\x1b[32m+  Look carefully" in output
