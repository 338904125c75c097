"""`--mipro-cache`, and what a run tells of its reply cache."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from optimize_project import check_output, live_calls, optimize, remove_written, written
from optimize_project import write_project as write_optimize

from pytest_mipro.plugin.config import cache_folder
from pytest_mipro.runtime.cache import json_disk

TESTS = """
@pytest.mark.mipro(threshold=0.9)
@pytest.mark.parametrize("text", ["a", "b", "c"])
def test_echo(text):
    assert echo(text=text) == text
"""


@pytest.fixture
def project(pytester: pytest.Pytester, desk) -> pytest.Pytester:
    desk(TESTS)
    return pytester


def gate(project: pytest.Pytester, *args: str) -> tuple[pytest.RunResult, int]:
    """Run the gate; return its result, and how many calls were live."""
    counted = project.path / "calls.txt"
    counted.unlink(missing_ok=True)
    result = project.runpytest_inprocess(*args)
    check_output(result)
    return result, int(counted.read_text()) if counted.exists() else 0


def cached(folder: Path) -> bool:
    return (folder / "cache.db").exists()


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_path_is_where_the_replies_are(project, workers):
    given = project.path / "elsewhere" / "replies"
    option = "--mipro-cache=elsewhere/replies"
    if workers:
        pytest.importorskip("xdist")
        assert project.runpytest(option, *workers).ret == 0
    else:
        assert gate(project, option)[1] == 3
    assert cached(given)
    assert not (project.path / ".mipro").exists()
    assert gate(project, option)[1] == 0
    assert gate(project, f"--mipro-cache={given}")[1] == 0
    assert gate(project)[1] == 3


def test_off_keeps_nothing_and_asks_each_request_once_a_run(project, desk):
    desk(TESTS.replace('["a", "b", "c"]', '["a", "a", "a", "b"]'))
    assert gate(project, "--mipro-cache=off")[1] == 2
    assert gate(project, "--mipro-cache=off")[1] == 2
    assert not (project.path / ".mipro").exists()
    gate(project)
    assert cached(project.path / ".mipro/cache")
    assert gate(project, "--mipro-cache=off")[1] == 2


@pytest.mark.parametrize("place", ["", ".", "file", "file/cache", "full"])
def test_a_place_of_others_is_refused(project, place):
    (project.path / "file").write_text("mine")
    (project.path / "full").mkdir(mode=0o755)
    (project.path / "full/cache.db").write_text("mine")
    (project.path / "full/notes.txt").write_text("mine")
    result = project.runpytest(f"--mipro-cache={place}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    rule = "--mipro-cache must be off, or a folder that is new, empty or a reply cache"
    result.stderr.fnmatch_lines([f"ERROR: {rule}, got '{place}'"])
    assert (project.path / "full").stat().st_mode & 0o777 == 0o755
    assert not (project.path / ".gitignore").exists()


def test_a_deleted_folder_is_asked_anew(project):
    gate(project)
    shutil.rmtree(project.path / ".mipro")
    assert gate(project)[1] == 3


def test_the_size_is_told_with_v_and_where_it_is_large(project, monkeypatch):
    assert "reply cache" not in gate(project)[0].stdout.str()
    result, _ = gate(project, "-v")
    assert re.search(
        r"^reply cache \.mipro/cache: 3 replies, [\d.]+ kB$", result.stdout.str(), re.MULTILINE
    )
    monkeypatch.setattr(cache_folder, "_LARGE", 1000)
    result, _ = gate(project)
    result.stdout.fnmatch_lines(
        ["reply cache .mipro/cache: * kB; delete the folder to free the space"]
    )
    assert "reply cache" not in gate(project, "-v", "--mipro-cache=off")[0].stdout.str()


def test_a_damaged_cache_is_told_at_once(project):
    folder = project.path / ".mipro/cache"
    gate(project)
    (folder / "cache.db").write_bytes(b"no database" * 1000)
    result = project.runpytest_subprocess()
    assert result.ret == 0
    told = [line for line in result.errlines if line]
    assert len(told) == 1
    assert told[0].startswith("mipro: ")
    assert told[0].endswith(
        "was damaged; it is kept as cache.db.corrupt-1, and its replies are requested again"
    )
    assert not logging.getLogger("pytest_mipro.runtime").handlers


def test_a_locked_cache_is_waited_for_once(project, desk, monkeypatch):
    monkeypatch.setattr(json_disk, "BUSY_SECONDS", 0.3)
    gate(project)
    desk(TESTS.replace('["a", "b", "c"]', "[str(n) for n in range(60)]"))
    with closing(sqlite3.connect(project.path / ".mipro/cache/cache.db")) as database:
        database.execute("BEGIN EXCLUSIVE")
        result, calls = gate(project)
    assert result.ret == 1
    assert calls == 0
    result.stdout.fnmatch_lines(["*the reply cache stayed locked*"])
    assert result.duration < 10


def test_an_optimisation_without_a_cache_says_what_it_gives_up(pytester, monkeypatch):
    write_optimize(pytester)
    result = optimize(pytester, "--mipro-cache=off")
    result.stdout.fnmatch_lines(
        ["mipro: no reply is kept (--mipro-cache=off): a stopped study starts over, *"]
    )
    new = written(pytester)
    first = live_calls(pytester)
    assert new
    assert not (pytester.path / ".mipro/cache").exists()
    remove_written(pytester)
    optimize(pytester)
    assert written(pytester) == new
    assert live_calls(pytester) == first  # each distinct request once, with a cache or without
    remove_written(pytester)
    monkeypatch.setenv("MIPRO_TEST_CALLS", "60")
    result = optimize(pytester, "--mipro-cache=off")
    text = " ".join(result.stdout.str().split())
    assert "no reply is kept (--mipro-cache=off): the same command starts over" in text
    assert "goes on" not in text
