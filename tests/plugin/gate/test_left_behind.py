"""What a plain run leaves, and leaves alone: cache, lastfailed, settings."""

from __future__ import annotations

import pytest
from numbers_desk import NUMBERS

from pytest_mipro.runtime.settings import current_settings


@pytest.mark.parametrize("threshold", [0.75, 0.8])
def test_neither_verdicts_nor_missed_cases_stay_in_lastfailed(pytester, desk, threshold):
    desk(NUMBERS.format(threshold=threshold))
    pytester.runpytest()
    assert not (pytester.path / ".pytest_cache/v/cache/lastfailed").exists()
    again = pytester.runpytest("--lf")
    assert again.parseoutcomes()["missed"] == 1  # nothing failed: all of it runs


def test_the_second_run_asks_nothing(pytester, desk):
    desk(NUMBERS.format(threshold=0.5))
    pytester.runpytest()
    assert (pytester.path / "calls.txt").read_text() == "3"
    (pytester.path / "calls.txt").unlink()
    result = pytester.runpytest()
    assert not (pytester.path / "calls.txt").exists()
    result.stdout.fnmatch_lines(["4 LM calls: 4 cached, 0 live; * tokens"])


def test_nothing_is_on_disk_before_the_first_call(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
def test_without_model(): return 1.0
""")
    pytester.runpytest("-p", "no:cacheprovider")
    assert not (pytester.path / ".mipro").exists()


def test_the_cache_lies_in_the_folder_of_the_ini_file(pytester, desk):
    desk(NUMBERS.format(threshold=0.5))
    inner = pytester.mkdir("elsewhere")
    pytester.runpytest(f"--rootdir={inner}", f"-c{pytester.path / 'tox.ini'}")
    assert (pytester.path / ".mipro/cache").is_dir()
    assert (pytester.path / ".mipro/usage").is_dir()
    assert (pytester.path / ".mipro/.gitignore").read_text() == "*\n"
    assert not (inner / ".mipro").exists()


def test_the_run_restores_the_settings_of_a_longer_process(pytester, desk):
    before = current_settings()
    desk(NUMBERS.format(threshold=0.5))
    pytester.runpytest_inprocess("--mipro-model=test/other")
    assert current_settings() == before


def test_module_calls_outside_cases_are_served_by_the_same_client(pytester, desk):
    desk("""
@pytest.fixture(scope="module")
def greeting(): return echo(text="hello")

def test_unmarked(): assert echo(text="hello") == "hello"

@pytest.mark.mipro
def test_fixture(greeting): assert greeting == "hello"
""")
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": 2}
    assert (pytester.path / "calls.txt").read_text() == "1"
