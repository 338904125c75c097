"""`--mipro-replies=fresh`, and how old replies are told."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from recorded_desk import (
    FRESH,
    RECORD,
    WORKERS,
    asked,
    entries,
    file_of,
)


@WORKERS
def test_fresh_asks_each_request_once_more_and_keeps_the_replies(pytester, recordable, workers):
    source = """
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("name", list("abcdefgh"))
def test_same(name): assert echo(text="same") == echo(text="same")
"""
    recordable(source, reply="'old'")
    pytester.runpytest(RECORD)
    asked(pytester)
    recordable(source, reply="'new'")
    result = pytester.runpytest(workers, FRESH)
    assert len(asked(pytester)) == 1  # of several workers, each may ask at the same time
    result.stdout.no_fnmatch_line("replies: *")
    assert entries(pytester)[0]["text"] == "old"
    result = pytester.runpytest(RECORD)
    result.stdout.fnmatch_lines(["*: 1 reply recorded, 1 changed"])
    assert entries(pytester)[0]["text"] == "new"
    assert asked(pytester) == []


def test_a_day_to_come_is_told_as_that_of_a_clock_that_was_ahead(pytester, recordable):
    recordable()
    pytester.runpytest(RECORD)
    path = file_of(pytester)
    path.write_text(re.sub(r'"asked": "[^"]*"', '"asked": "2999-12-24"', path.read_text()))
    result = pytester.runpytest("--mipro-replies=replay")
    result.stdout.fnmatch_lines(
        ["replies: 7 of 7 *, the oldest asked on 2999-12-24, by a clock that was ahead"]
    )


def test_a_reply_is_dated_though_the_test_has_fixed_the_clock(pytester, recordable):
    recordable("""
import time
@pytest.mark.mipro(threshold=0.5)
def test_then(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert echo(text="now") == "now"
""")
    before = datetime.now(UTC).date().isoformat()
    pytester.runpytest(RECORD)
    assert before <= str(entries(pytester)[0]["asked"]) <= datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize("mode", ["auto", "replay"])
def test_the_age_of_old_replies_is_told(pytester, recordable, mode):
    recordable()
    pytester.runpytest(RECORD)
    path = file_of(pytester)
    path.write_text(re.sub(r'"asked": "[^"]*"', '"asked": "2025-12-24"', path.read_text(), count=1))
    result = pytester.runpytest(f"--mipro-replies={mode}")
    result.stdout.re_match_lines(
        [r"replies: 7 of 7 replies recorded, the oldest asked on 2025-12-24, \d+ days ago"]
    )


def test_a_fresh_optimisation_says_what_it_gives_up(pytester, recordable):
    recordable()
    result = pytester.runpytest("--mipro-optimize", FRESH, "--mipro-trials=1")
    result.stdout.fnmatch_lines(["mipro: replies are requested again (--mipro-replies=fresh): *"])
