"""Runs that end in the middle: kill -9 while files are written, Ctrl-C while a study runs."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from optimize_project import (
    LOCK,
    PROMPT,
    optimize,
    remove_written,
    run,
    write_project,
    written,
)

KILLED = """
import signal
from pytest_mipro.plugin.lock import write_journal

STEP = int(os.environ.get("MIPRO_TEST_KILL", "99"))
REAL = write_journal.atomic_write

def killing(path, text, drafts=None, count=iter(range(100))):
    if next(count) == STEP:
        os.kill(os.getpid(), signal.SIGKILL)
    REAL(path, text, drafts)

def pytest_configure(config):
    write_journal.atomic_write = killing
    config.add_cleanup(lambda: setattr(write_journal, "atomic_write", REAL))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("step", [0, 2])  # for 1, see test_finished_study.py
def test_files_are_all_old_or_all_new_after_kill_9_and_another_run(pytester, monkeypatch, step):
    write_project(pytester, conftest=KILLED)
    optimize(pytester)
    new = written(pytester)
    remove_written(pytester)
    monkeypatch.setenv("MIPRO_TEST_KILL", str(step))
    killed = pytester.runpytest_subprocess("--mipro-optimize", "--mipro-trials=4")
    assert killed.ret == -signal.SIGKILL
    monkeypatch.delenv("MIPRO_TEST_KILL")
    result = run(pytester)
    assert result.ret == 0
    if step == 0:
        assert written(pytester) == {}
        result.stdout.no_fnmatch_line("*interrupted*")
    else:
        assert written(pytester) == new
        result.stdout.fnmatch_lines(["mipro: finished the interrupted writing of *" + LOCK])
        result.stdout.fnmatch_lines(["test_parity  0.[89]*"])  # measured with what was written
    assert run(pytester).stdout.str().count("interrupted") == 0


def pending(pytester: pytest.Pytester) -> str:
    """Leave behind what a crash between journal and files leaves; return the prompt's text."""
    optimize(pytester)
    texts = {name: (pytester.path / name).read_text() for name in (PROMPT, LOCK)}
    remove_written(pytester)
    entries = [
        {"path": str(pytester.path / name), "text": text, "replaces": ""}
        for name, text in texts.items()
    ]
    (pytester.path / ".mipro/pending-writes.json").write_text(json.dumps(entries))
    return texts[PROMPT]


@pytest.mark.parametrize("arguments", [("-n", "1"), ("--mipro-optimize", "--mipro-trials=2")])
def test_any_run_with_marked_tests_finishes_the_writing(pytester, arguments):
    write_project(pytester)
    text = pending(pytester)
    (pytester.path / "test_plain.py").write_text("def test_plain(): pass")
    run(pytester, "test_plain.py")  # no marked test: nothing is done
    assert written(pytester) == {}
    run(pytester, *arguments)
    assert (pytester.path / PROMPT).read_text() == text
    assert not (pytester.path / ".mipro/pending-writes.json").exists()


def test_collecting_writes_nothing(pytester):
    write_project(pytester)
    pending(pytester)
    run(pytester, "--collect-only")
    assert written(pytester) == {}


def test_a_file_edited_since_stays_and_is_named(pytester):
    write_project(pytester)
    pending(pytester)
    prompt = pytester.path / PROMPT
    text = "schema_version: 1\nmodule: pipeline.parity\ninstruction: By hand.\ndemos: []\n"
    prompt.write_text(text)
    result = run(pytester)
    result.stdout.fnmatch_lines(
        [
            f"mipro: finished the interrupted writing of {LOCK}",
            f"mipro: {PROMPT} changed since the writing was interrupted: left as it is; *",
        ]
    )
    assert prompt.read_text() == text


def test_a_crafted_journal_is_put_aside_with_one_line(pytester):
    write_project(pytester)
    pending(pytester)
    journal = pytester.path / ".mipro/pending-writes.json"
    journal.write_text(journal.read_text().replace(PROMPT, "../evil.yaml"))
    run(pytester).stdout.fnmatch_lines(
        ["mipro: *pending-writes.json: it would write *; kept as pending-writes.unusable, *"]
    )
    assert "pending-writes" not in run(pytester).stdout.str()
    assert not (pytester.path.parent / "evil.yaml").exists()


SLOW = """
import asyncio

class Slow(Client):
    async def complete(self, request):
        if len(self.requests) >= 60:
            pathlib.Path("waiting.txt").touch()
            await asyncio.sleep(600)
        return await super().complete(request)

def pytest_mipro_client(config):
    return Slow(reply)
"""


STUCK = """
import pathlib, time

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    if number == 7:
        pathlib.Path("waiting.txt").touch()
        time.sleep(600)  # no timeout of ours ends it, and no cancelling
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""


BOUND = 120.0  # seconds: far from the 600 that a call or a case takes, and enough on a busy machine


def interrupted(pytester):
    """Run, send Ctrl-C once `waiting.txt` is there, and return the lines of the output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--mipro-optimize", "--mipro-trials=4"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        # A job in the background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        deadline = time.monotonic() + BOUND
        while not (pytester.path / "waiting.txt").exists() and process.poll() is None:
            assert time.monotonic() < deadline, "no case was reached"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=BOUND)
    finally:
        process.kill()
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert written(pytester) == {}
    return output.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_ctrl_c_ends_the_run_at_once_and_says_how_to_go_on(pytester):
    write_project(pytester, conftest=SLOW)
    lines = interrupted(pytester)
    told = lines.index("interrupted: nothing is written for test_numbers.py")
    assert re.fullmatch(
        r"stopped at: .* calls billed, .* tokens; 0:\d\d",
        lines[told + 1],
    )
    assert lines[told + 2] == "replies so far are cached: the same command resumes from there"
    assert not [line for line in lines if "Traceback" in line or "Exception" in line], lines
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("return Slow(reply)", "return Client(reply)"))
    assert optimize(pytester).ret == 0
    assert written(pytester)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_ctrl_c_ends_the_run_also_where_a_case_is_stuck(pytester):
    write_project(pytester, STUCK)
    lines = interrupted(pytester)
    assert "interrupted: nothing is written for test_numbers.py" in lines
    assert not [line for line in lines if "Traceback" in line or "Exception" in line], lines
