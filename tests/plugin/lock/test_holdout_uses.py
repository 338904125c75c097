"""HoldoutUses at the holdout: counted before they happen, and carried on from the lock."""

import os
import re
import shutil

import pytest
from optimize_project import (
    LOCK,
    live_calls,
    optimize,
    private_files,
    remove_written,
    write_project,
    written,
)

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.lock.holdout_uses import (
    HoldoutRecord,
    HoldoutUses,
    known_holdout_uses,
    record_holdout_use,
)
from pytest_mipro.plugin.lock.lock_file import Lock

NO_DEMOS = ("-o", "mipro_max_demos=0")


def uses(pytester: pytest.Pytester) -> int:
    found = re.search(r'"holdout_uses": (\d+)', (pytester.path / LOCK).read_text())
    return int(found.group(1))


def set_uses(pytester: pytest.Pytester, count: int) -> None:
    lock = pytester.path / LOCK
    lock.write_text(re.sub(r'("holdout_uses": )\d+', rf"\g<1>{count}", lock.read_text()))


def keep_lock_alone(pytester: pytest.Pytester) -> None:
    """Go to a fresh clone whose prompts were taken back."""
    shutil.rmtree(pytester.path / ".mipro")
    shutil.rmtree(pytester.path / "prompts")


def test_the_count_goes_on_from_the_lock_and_repeats_itself(pytester):
    write_project(pytester)
    optimize(pytester)
    set_uses(pytester, 1)
    keep_lock_alone(pytester)
    lock = (pytester.path / LOCK).read_bytes()
    result = optimize(pytester, *NO_DEMOS)
    assert "look 2 at this holdout" in " ".join(result.stdout.str().split())
    first = written(pytester)
    assert uses(pytester) == 2
    remove_written(pytester)
    (pytester.path / LOCK).write_bytes(lock)
    optimize(pytester, *NO_DEMOS)
    assert written(pytester) == first


def test_the_finalist_that_the_lock_was_written_with_is_no_new_use(pytester):
    write_project(pytester)
    optimize(pytester)
    first = written(pytester)
    keep_lock_alone(pytester)
    optimize(pytester)
    assert written(pytester) == first
    assert uses(pytester) == 1


def test_a_run_that_breaks_after_its_holdout_use_counts(pytester, monkeypatch):
    write_project(pytester)
    optimize(pytester)
    calls = live_calls(pytester)
    first = written(pytester)
    remove_written(pytester)
    shutil.rmtree(pytester.path / ".mipro")
    monkeypatch.setenv("MIPRO_TEST_CALLS", str(calls - 1))
    assert optimize(pytester).ret == pytest.ExitCode.TESTS_FAILED
    assert written(pytester) == {}
    assert [name for name in private_files(pytester.path) if name.startswith("looks/")]
    monkeypatch.delenv("MIPRO_TEST_CALLS")
    optimize(pytester)
    assert written(pytester) == first


def test_the_record_keeps_the_order_of_the_looks(tmp_path):
    known = HoldoutUses()
    for finalist in ("zebra", "ant", "zebra"):
        record_holdout_use(tmp_path, "study", known, finalist)
        known = known_holdout_uses(tmp_path, "study", None)
    assert known == HoldoutUses(("zebra", "ant"))
    # a lock that knows of more puts them before
    assert known_holdout_uses(tmp_path, "study", Lock("s", 0, 1, holdout_uses=5)).earlier == 2


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"finalists": [], "earlier": Infinity}',
        '{"finalists": [], "earlier": -5}',
        '{"finalists": "abc"}',
        '{"finalists": [1]}',
        "[]",
    ],
    ids=range(6),
)
def test_a_damaged_record_is_refused_in_one_line(tmp_path, text):
    record_holdout_use(tmp_path, "tests/a.mipro.json", HoldoutUses(), "f1")
    (path,) = (tmp_path / "looks").glob("*.json")
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"can't be read; delete it, and treat the next"):
        known_holdout_uses(tmp_path, "tests/a.mipro.json", None)


def test_runs_at_once_count_each_others_looks(tmp_path):
    known = known_holdout_uses(tmp_path, "study", None)  # as both read it when they began
    assert record_holdout_use(tmp_path, "study", known, "ant") == ("ant",)
    assert record_holdout_use(tmp_path, "study", known, "bee") == ("ant", "bee")
    assert record_holdout_use(tmp_path, "study", known, "ant") == ("ant", "bee")
    assert known_holdout_uses(tmp_path, "study", None) == HoldoutUses(("ant", "bee"))


def test_looks_found_elsewhere_are_those_that_the_lock_counts(tmp_path):
    lock = Lock("s", 0, 1, holdout_uses=3)
    [locked] = known_holdout_uses(tmp_path, "study", lock).finalists
    record = HoldoutRecord(tmp_path, "study", lock)
    assert record.find(("ant", "bee", locked)) == (("ant", "bee", locked), 0)
    assert record.add("cat") == ("ant", "bee", locked, "cat")
    assert known_holdout_uses(tmp_path, "study", lock).earlier == 0


def test_looks_that_only_the_lock_counts_are_counted_beside_those_found(tmp_path):
    lock = Lock("s", 0, 1, holdout_uses=3)
    [locked] = known_holdout_uses(tmp_path, "study", lock).finalists
    record = HoldoutRecord(tmp_path, "study", lock)
    assert record.find(("ant",)) == (("ant", locked), 1)
    assert record.add("cat") == ("ant", locked, "cat")
    assert record.known() == HoldoutUses(("ant", locked, "cat"), 1)


def test_a_look_that_is_recorded_needs_no_lock(tmp_path):
    """As in a folder of another user, or one that is read-only."""
    assert record_holdout_use(tmp_path, "study", HoldoutUses(), "ant") == ("ant",)
    [record] = (tmp_path / "looks").glob("*.json")
    record.with_suffix(".lock").unlink(missing_ok=True)
    record.with_suffix(".lock").mkdir()  # no file that can be opened
    assert record_holdout_use(tmp_path, "study", HoldoutUses(), "ant") == ("ant",)
    if os.name != "nt":  # where nothing is locked
        with pytest.raises(ConfigurationError, match=r"the record of holdout uses can't be writt"):
            record_holdout_use(tmp_path, "study", HoldoutUses(), "bee")


def test_a_second_look_at_the_holdout_is_counted_and_said(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-diff", "-o", "mipro_max_demos=0")
    result = optimize(pytester, "--mipro-seed=9")
    text = " ".join(result.stdout.str().split())
    assert "one-sided 99.5 % lower bound" in text
    assert "(look 2 at this holdout)" in text
    assert '"holdout_uses": 2' in (pytester.path / LOCK).read_text()
