"""`--mipro-update-lock`: a whole plain run's scores are locked, at the session's end."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from gate_project import LOCK, TESTS, WORDS, lock_text, write_gate, write_prompt, write_words

from pytest_mipro.plugin.lock.lock_file import LockedCase, parse_lock, read_lock

UPDATE = "--mipro-update-lock"
WROTE = f"wrote {LOCK}: the scores of 6 cases"


def locked(pytester):
    return parse_lock(lock_text(pytester), pytester.path / LOCK)


def test_a_plain_run_locks_what_it_measured(pytester):
    write_gate(pytester)
    result = pytester.runpytest(UPDATE)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*- mipro: lock -*", WROTE])
    lock = locked(pytester)
    assert lock.scores == {f"test_say[{word}]": 1.0 if word == "one" else 0.0 for word in WORDS}
    (module,) = lock.modules
    assert (module.name, module.prompt_path) == ("pipeline.say", "prompts/pipeline.say.yaml")
    assert (module.model, dict(module.parameters)) == ("test/fake", {"temperature": 0})
    assert module.prompt == module.docstring
    assert len({case.digest for case in lock.cases}) == 6
    again = pytester.runpytest()
    again.stdout.fnmatch_lines(["*+0.000 * against the lock: no case changed*"])
    again.stdout.no_fnmatch_line("*differs from*")


def test_workers_and_one_process_write_the_same_bytes(pytester):
    pytest.importorskip("xdist")
    write_gate(pytester)
    pytester.runpytest(UPDATE)
    one = lock_text(pytester)
    (pytester.path / LOCK).unlink()
    pytester.runpytest(UPDATE, "-n2")
    assert lock_text(pytester) == one != ""


def test_without_the_option_no_lock_is_written(pytester):
    write_gate(pytester)
    assert pytester.runpytest().ret == 0
    assert lock_text(pytester) == ""


def test_an_equal_lock_is_left_alone(pytester):
    write_gate(pytester)
    pytester.runpytest(UPDATE)
    before = (pytester.path / LOCK).stat().st_mtime_ns
    result = pytester.runpytest(UPDATE)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"{LOCK} is up to date"])
    assert (pytester.path / LOCK).stat().st_mtime_ns == before


def test_what_only_a_search_knows_is_kept(pytester):
    write_gate(pytester)
    pytester.runpytest(UPDATE)
    kept = {
        '"seed": 0': '"seed": 7',
        '"holdout_uses": 0': '"holdout_uses": 3',
        '"logical_calls": 0': '"logical_calls": 99',
        '"confirmed": false': '"confirmed": true',
    }
    text = lock_text(pytester)
    for old, new in kept.items():
        assert old in text
        text = text.replace(old, new)
    (pytester.path / LOCK).write_text(text)
    write_words(pytester, (*WORDS, "seven"))
    pytester.runpytest(UPDATE)
    assert all(new in lock_text(pytester) for new in kept.values())
    write_prompt(pytester, "Say the word loudly.")
    pytester.runpytest(UPDATE)
    lock = locked(pytester)
    assert (lock.seed, lock.holdout_uses, lock.logical_calls) == (7, 3, 99)
    assert not lock.confirmed  # no holdout confirmed the edited prompt


def test_a_hand_edit_is_locked_with_its_scores_and_demos(pytester):
    write_gate(pytester)
    path = write_prompt(pytester, "Say the word loudly.")
    demo = "demos:\n- case: words.jsonl:two\n  inputs: {text: two}\n  output: TWO\n"
    path.write_text(path.read_text().replace("demos: []\n", demo))
    pytester.runpytest(UPDATE)
    lock = locked(pytester)
    assert set(lock.scores.values()) == {1.0}
    assert lock.demo_rows == ("words.jsonl:two",)
    assert lock.modules[0].prompt != lock.modules[0].docstring


def test_a_worse_prompt_fails_its_verdict_and_is_locked(pytester):
    tests = TESTS.replace("threshold=0.1", "max_regression=0.01")
    write_gate(pytester, tests, words=tuple(f"w{n}" for n in range(30)))
    path = write_prompt(pytester, "Say the word loudly.")
    assert pytester.runpytest(UPDATE).ret == 0
    path.write_text(path.read_text().replace("loudly", "quietly"))
    worse = pytester.runpytest(UPDATE)
    assert worse.ret == 1
    worse.stdout.fnmatch_lines(["*FAILED: the mean fell by*", f"wrote {LOCK}*"])
    assert pytester.runpytest().ret == 0


def test_a_lock_that_changed_meanwhile_is_not_overwritten(pytester):
    tests = TESTS + (
        "\ndef test_zz():\n    import pathlib\n"
        f"    path = pathlib.Path({LOCK!r})\n"
        "    path.write_text(path.read_text().replace('\"seed\": 0', '\"seed\": 5'))\n"
    )
    write_gate(pytester)
    pytester.runpytest(UPDATE)
    (pytester.path / "test_words.py").write_text(tests)
    write_words(pytester, (*WORDS, "seven"))
    result = pytester.runpytest(UPDATE)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"not written: *{LOCK} changed while the study ran*"])
    assert locked(pytester).seed == 5
    assert len(locked(pytester).cases) == 6


def test_skipped_cases_are_locked_without_a_score(pytester):
    tests = TESTS.replace("assert", 'if text == "two": pytest.skip("later")\n    assert')
    write_gate(pytester, tests)
    pytester.runpytest(UPDATE)
    assert len(locked(pytester).cases) == 6
    assert "test_say[two]" not in locked(pytester).scores


def test_repeats_are_locked_by_their_mean(pytester):
    write_gate(pytester, TESTS.replace("threshold=0.1", "threshold=0.1, repeats=2"))
    conftest = (pytester.path / "conftest.py").read_text()
    flaky = conftest.replace(
        "    instruction =", "    if request.sample: return word\n    instruction ="
    )
    (pytester.path / "conftest.py").write_text(flaky)
    pytester.runpytest(UPDATE)
    assert locked(pytester).scores["test_say[one]"] == 0.5


def test_without_a_study_it_is_misuse(pytester):
    write_gate(pytester)
    pytester.makepyfile(test_plain="def test_it(): pass")
    result = pytester.runpytest(UPDATE, "test_plain.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mipro-update-lock has nothing to lock: *"])
    assert pytester.runpytest(UPDATE, "test_plain.py", "--collect-only").ret == 0


def test_a_lock_without_a_search_knows_no_calls(pytester):
    write_gate(pytester)
    pytester.runpytest(UPDATE)
    shutil.rmtree(pytester.path / ".mipro")  # where the run that wrote it left what it took
    result = pytester.runpytest("--mipro-optimize", "--mipro-dry-run")
    result.stdout.fnmatch_lines(["modules     pipeline.say", "LM calls    unknown before the *"])


def test_with_optimize_it_is_misuse(pytester):
    write_gate(pytester)
    result = pytester.runpytest(UPDATE, "--mipro-optimize")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mipro-optimize writes the lock itself; drop *"])


def test_locks_that_change_different_cases_merge(pytester):
    """One case a line: git joins the locks of two branches, and conflicts show one case."""
    write_gate(pytester)
    pytester.runpytest(UPDATE)
    path = pytester.path / LOCK
    base = read_lock(path)

    def git(*args: str) -> subprocess.CompletedProcess[str]:
        identity = ("-c", "user.name=t", "-c", "user.email=t@t.invalid")
        command = ["git", *identity, *args]
        return subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)

    def rescored(score: float, case: str) -> str:
        lines = path.read_text().splitlines(keepends=True)
        (place,) = [n for n, line in enumerate(lines) if f'"id": "{case}"' in line]
        entry = json.loads(lines[place].strip().rstrip(","))
        old = f'"score": {entry["score"]}'
        lines[place] = lines[place].replace(old, f'"score": {score}')
        return "".join(lines)

    git("init", "-q", "-b", "main")
    git("add", LOCK)
    git("commit", "-qm", "lock")
    for branch, score, case in (
        ("a", 0.25, "test_say[five]"),
        ("b", 0.75, "test_say[two]"),
        ("c", 0.5, "test_say[two]"),
    ):
        git("checkout", "-qb", branch, "main")
        path.write_text(rescored(score, case))
        git("commit", "-qam", branch)
    git("checkout", "-q", "a")
    merged = git("merge", "-q", "b")
    assert merged.returncode == 0, merged.stdout
    assert base is not None
    expected = base.scores | {"test_say[five]": 0.25, "test_say[two]": 0.75}
    lock = read_lock(path)
    assert lock is not None
    assert lock.scores == expected
    assert all(isinstance(case, LockedCase) for case in lock.cases)
    assert git("merge", "-q", "c").returncode == 1
    conflict = path.read_text().partition("<<<<<<<")[2].partition(">>>>>>>")[0]
    assert conflict.count('"id"') == 2  # ours and theirs of one case
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*{LOCK}:*: an unresolved merge conflict; keep one side*"])
