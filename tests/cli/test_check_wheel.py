"""`check WHEEL`: a built wheel against the work tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_project import LOCK, PROMPT, ROUTE, Run, wheel_of, write


@pytest.mark.parametrize("prefix", ["", "desk-1.0.data/purelib/"])
def test_a_wheel_that_agrees(locked: Path, command: Run, prefix: str) -> None:
    wheel = wheel_of(locked, prefix=prefix)
    ended = command("check", str(wheel))
    assert (ended.status, ended.out) == (
        0,
        f"2 prompts, 1 lock, the wheel {wheel.name}: all agree\n",
    )


def test_two_wheels(locked: Path, command: Run) -> None:
    whole = wheel_of(locked)
    other = whole.rename(whole.with_name("desk-0.9-py3-none-any.whl"))
    lacking = wheel_of(locked, ROUTE)
    ended = command("check", str(other), str(lacking))
    assert ended.status == 1
    assert f"{lacking.name}: it lacks {ROUTE}" in ended.out
    assert f"the wheel {other.name}, the wheel {lacking.name}: 1 difference" in ended.out


def test_a_wheel_of_a_src_layout(locked: Path, command: Run) -> None:
    wheel = wheel_of(locked, ROUTE)
    (locked / "src").mkdir()
    (locked / "desk").rename(locked / "src/desk")
    (locked / LOCK).unlink()
    assert f"it lacks {ROUTE}" in command("check", str(wheel)).out


def test_a_wheel_without_its_prompts(locked: Path, command: Run) -> None:
    ended = command("check", str(wheel_of(locked, ROUTE)))
    assert ended.status == 1
    assert f"it lacks {ROUTE}, so pipeline.route would run on its docstring" in ended.out


def test_an_old_wheel(locked: Path, command: Run) -> None:
    write(locked, ROUTE, PROMPT.replace("well", "badly"))
    wheel = wheel_of(locked)
    write(locked, ROUTE, PROMPT)
    ended = command("check", str(wheel))
    assert ended.status == 1
    assert "its prompt of pipeline.route is another one than the work tree's" in ended.out


def test_a_wheel_of_something_else(locked: Path, command: Run) -> None:
    ended = command("check", str(wheel_of(locked, "desk/pipeline.py")))
    assert "it holds no source of this project that has a prompt" in ended.out
