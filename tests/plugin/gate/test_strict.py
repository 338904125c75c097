"""What differs from the lock is told in a plain run, and fails it under `--mipro-strict`."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from fnmatch import fnmatch

import pytest
from gate_changes import (
    CHANGES,
    UPDATE,
    edit,
    moved_without_its_prompt,
    new_module,
    prompt_file,
    renamed,
)
from gate_project import LOCK, TESTS, WORDS, lock_text, write_gate, write_prompt, write_words

from pytest_mipro.plugin.gate.differences import _parameters
from pytest_mipro.plugin.lock.lock_file import LockedModule

DIFFERS = f"differs from {LOCK}:"


@pytest.fixture
def gate(pytester):
    """A project with a lock of its prompt file."""
    write_gate(pytester)
    write_prompt(pytester, "Say the word.  # as locked")
    assert pytester.runpytest(UPDATE).ret == 0
    return pytester


def told(result):
    """Return the one difference that the terminal tells, its lines joined."""
    lines = result.stdout.lines
    assert lines.count(DIFFERS) == 1
    rest = lines[lines.index(DIFFERS) + 1 :]
    indented = rest[: next(n for n, line in enumerate(rest) if not line.startswith("  "))]
    assert all(len(line) <= 80 for line in indented)
    assert indented.pop().strip() == "`pytest --mipro-update-lock` locks these scores"
    return " ".join(line.strip() for line in indented)


@pytest.mark.parametrize("change", CHANGES)
def test_a_plain_run_tells_and_passes_a_strict_one_fails(gate, change):
    words = change(gate)
    plain = gate.runpytest()
    assert plain.ret == 0
    assert fnmatch(told(plain), words.replace("[", "[[]"))
    strict = gate.runpytest("--mipro-strict")
    assert strict.ret == 1
    strict.stdout.fnmatch_lines([f"FAILED {LOCK}::lock - 1 difference from the lock (mipro_st*"])


@pytest.mark.parametrize("path", ["a" * 400 + ".yaml", "\\u0000.yaml"], ids=["long", "NUL"])
def test_a_locked_path_that_no_file_can_have_is_told(gate, path):
    edit(gate, LOCK, "prompts/pipeline.say.yaml", path)
    plain = gate.runpytest()
    assert plain.ret == 0
    plain.stdout.fnmatch_lines([DIFFERS, "  1 line of the lock edited since it was written: *"])
    plain.stdout.fnmatch_lines(["  the prompt file of pipeline.say is prompts/pipeline.say.yaml*"])


@pytest.mark.parametrize("change", [renamed, moved_without_its_prompt])
def test_a_prompt_file_that_stayed_behind_is_told(gate, change):
    words = change(gate)
    text = " ".join(gate.runpytest().stdout.str().split())
    assert words in text


def test_a_module_that_errors_kept_from_being_called_is_not_gone(gate):
    new_module(gate)
    gate.runpytest(UPDATE)
    # The endpoint is down at the first module, so no case comes to the second.
    edit(gate, "conftest.py", 'if word == "down":', "if True:")
    shutil.rmtree(gate.path / ".mipro")
    result = gate.runpytest("--mipro-strict")
    result.stdout.fnmatch_lines(["*incomplete: 6 cases had an error*"])
    result.stdout.no_fnmatch_line("*no longer called*")
    result.stdout.no_fnmatch_line(f"FAILED {LOCK}::lock*")


def test_all_as_locked_is_silent_and_passes(gate):
    result = gate.runpytest("--mipro-strict", "--junitxml=out.xml")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*differs*")
    names = [case.get("name") for case in ET.parse(gate.path / "out.xml").iter("testcase")]
    assert names.count("lock") == 1


def test_the_ini_key_does_the_same_with_workers_too(gate):
    pytest.importorskip("xdist")
    edit(gate, "tox.ini", "[pytest]", "[pytest]\nmipro_strict = true")
    assert gate.runpytest().ret == 0
    prompt_file(gate)
    result = gate.runpytest("-n1")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*prompts/pipeline.say.yaml changed: the difference from the lock is this edit's",
            f"FAILED {LOCK}::lock - 1 difference from the lock*",
        ]
    )
    assert gate.runpytest("-o", "mipro_strict=false").ret == 0


def lock_gone(gate):
    (gate.path / LOCK).unlink()
    return LOCK


def study_renamed(gate):
    edit(gate, "test_words.py", "threshold=0.1", 'threshold=0.1, study="renamed"')
    return "renamed.mipro.json"


@pytest.mark.parametrize("change", [lock_gone, study_renamed])
def test_a_missing_lock_is_a_difference_to_a_strict_run_alone(gate, change):
    lock = change(gate)
    plain = gate.runpytest()
    assert plain.ret == 0
    plain.stdout.no_fnmatch_line("*differs*")
    strict = gate.runpytest("--mipro-strict")
    assert strict.ret == 1
    strict.stdout.fnmatch_lines(
        [
            f"differs from {lock}:",
            "  there is no lock: restore the file, rename it like its test file or study, or",
            "    commit a new one",
            f"FAILED {lock}::lock - 1 difference from the lock (mipro_st*",
        ]
    )
    assert gate.runpytest("--mipro-strict", UPDATE).ret == 0
    assert gate.runpytest("--mipro-strict").ret == 0


@pytest.mark.parametrize("score", ["0.0", "null"])
def test_scores_edited_in_the_lock_are_told_and_fail_a_strict_run(gate, score):
    edit(gate, LOCK, '"score": 1.0', f'"score": {score}')
    plain = gate.runpytest()
    assert plain.ret == 0
    plain.stdout.fnmatch_lines(["  1 line of the lock edited since it was written: restore the *"])
    assert gate.runpytest("--mipro-strict").ret == 1
    gate.runpytest(UPDATE)
    assert gate.runpytest("--mipro-strict").ret == 0


@pytest.mark.parametrize("outcome", ["skip", "xfail"])
def test_a_scored_case_that_is_no_longer_scored_is_a_difference(gate, outcome):
    edit(
        gate,
        "test_words.py",
        "    assert",
        f"    if text == 'two': pytest.{outcome}('later')\n    assert",
    )
    plain = gate.runpytest()
    assert plain.ret == 0
    words = "  cases differ (1 no longer scored): compared on the 5 common ones"
    plain.stdout.fnmatch_lines([words])
    strict = gate.runpytest("--mipro-strict")
    assert strict.ret == 1
    strict.stdout.fnmatch_lines([f"FAILED {LOCK}::lock - 1 difference from the lock (mipro_st*"])
    gate.runpytest(UPDATE)
    assert gate.runpytest("--mipro-strict").ret == 0, "locked without a score, it is as locked"


def test_the_keys_of_a_parameter_may_have_any_order(gate):
    thinking = '@lm_module(thinking={"type": "enabled", "budget_tokens": 9}, stop=("a",))'
    edit(gate, "pipeline.py", "@lm_module", thinking)
    gate.runpytest(UPDATE)
    assert gate.runpytest("--mipro-strict").ret == 0


@pytest.mark.parametrize("mark", ["xfail", "skip"])
def test_a_gated_test_without_any_score_is_incomplete(gate, mark):
    edit(gate, "test_words.py", "@pytest.mark.mipro", f"@pytest.mark.{mark}\n@pytest.mark.mipro")
    result = gate.runpytest()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*INCOMPLETE: no case was scored; *"])
    assert gate.runpytest("--mipro-strict").ret == 1


def test_part_of_the_cases_is_no_difference(gate):
    for selection in (("-k", "one"), ("test_words.py::test_say[two]",)):
        result = gate.runpytest("--mipro-strict", *selection)
        result.stdout.no_fnmatch_line("*differs*")
        result.stdout.no_fnmatch_line("*::lock*")


def test_part_of_the_cases_tells_what_changed_in_it(gate):
    write_words(gate, ("one=une", *WORDS[1:-1]))
    result = gate.runpytest("-k", "one or two")
    result.stdout.fnmatch_lines(["  cases differ (1 changed): compared on the 1 common one"])


def test_skipped_cases_are_no_part_of_the_comparison(gate):
    skip = "    if text not in ('one', 'une'): pytest.skip('later')\n    assert"
    edit(gate, "test_words.py", "    assert", skip)
    words = "  cases differ (5 no longer scored): compared on the 1 common one"
    gate.runpytest().stdout.fnmatch_lines([words])
    write_words(gate, ("one=une", *WORDS[1:]))
    words = "  cases differ (1 changed, 5 no longer scored): there is nothing to compare"
    gate.runpytest().stdout.fnmatch_lines([words])


def test_a_changed_row_is_no_part_of_the_comparison(gate):
    write_words(gate, ("one=une", *WORDS[1:]))
    result = gate.runpytest()
    result.stdout.fnmatch_lines(
        [
            "*against the lock: no case changed; 1 case not in it",
            "  cases differ (1 changed): compared on the 5 common ones",
        ]
    )


def test_a_demo_that_names_its_row_as_before_is_told(gate):
    demo = "demos:\n- case: words.jsonl:two\n  inputs: {text: two}\n  output: two\n"
    edit(gate, "prompts/pipeline.say.yaml", "demos: []\n", demo)
    assert gate.runpytest(UPDATE).ret == 0
    (gate.path / "words.jsonl").rename(gate.path / "texts.jsonl")
    edit(gate, "test_words.py", "words.jsonl", "texts.jsonl")
    assert told(gate.runpytest()) == (
        "1 row has a name that demos don't know, as texts.jsonl:two, which is words.jsonl:two "
        "there: such a row is shown its own answer; write the new name as `case` of the demo"
    )
    source = (gate.path / "test_words.py").read_text()
    (_, test) = source.split("@pytest", 1)
    more = f"{source}\n@pytest{test.replace('test_say', 'test_that_is_new')}"
    (gate.path / "test_words.py").write_text(more)
    assert told(gate.runpytest()).startswith("1 row has a name that demos don't know")
    (gate.path / "test_words.py").write_text(source)
    edit(gate, "prompts/pipeline.say.yaml", "words.jsonl:two", "texts.jsonl:two")
    assert "prompts/pipeline.say.yaml changed" in told(gate.runpytest())


def test_the_difference_is_told_before_it_is_locked(gate):
    prompt_file(gate)
    result = gate.runpytest("--mipro-strict", UPDATE)
    assert result.ret == 0
    result.stdout.fnmatch_lines([DIFFERS, "  prompts/*", f"wrote {LOCK}*"])
    assert gate.runpytest("--mipro-strict").ret == 0


def test_a_test_that_is_gone_takes_its_cases_along(pytester):
    more = TESTS.partition("@pytest")[2].replace("def test_say", "def test_more")
    write_gate(pytester, f"{TESTS}\n@pytest{more}")
    pytester.runpytest(UPDATE)
    assert lock_text(pytester).count('"test": "test_more"') == 6
    (pytester.path / "test_words.py").write_text(TESTS)
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["  cases differ (6 gone): compared on the 6 common ones"])


def test_strictness_leaves_nothing_in_lastfailed(gate):
    prompt_file(gate)
    assert gate.runpytest("--mipro-strict").ret == 1
    assert not (gate.path / ".pytest_cache/v/cache/lastfailed").exists()


def test_without_a_score_neither_the_holdout_nor_a_new_lock_is_told(pytester):
    names = tuple(f"w{number}" for number in range(40))
    write_gate(pytester, words=names, ini="mipro_min_holdout = 5\n")
    pytester.runpytest(UPDATE)
    pytester.runpytest().stdout.fnmatch_lines(["*holdout 0.000 *"])
    write_words(pytester, tuple(f"{name}=down" for name in names))
    result = pytester.runpytest("--mipro-strict")
    assert result.parseoutcomes()["errors"] == 40
    result.stdout.fnmatch_lines([DIFFERS, "  cases differ (40 changed): there is nothing *"])
    result.stdout.no_fnmatch_line("*locks these scores*")
    result.stdout.no_fnmatch_line("    holdout *")


def test_a_failure_in_one_line_reads_as_in_the_summary(gate):
    prompt_file(gate)
    result = gate.runpytest("--mipro-strict", "--tb=line")
    result.stdout.fnmatch_lines([f"{LOCK}: 1 difference from the lock (mipro_strict): *"])
    result.stdout.no_fnmatch_line("*namespace(*")


def test_no_value_of_a_private_parameter_is_shown():
    values = {"temperature": 0, "extra_body": {"key": "s3cret-value"}, "user": "private:0a1b2c3d"}
    module = LockedModule("m", "p", "d", "d", "s", "test/fake", values)
    assert _parameters(module) == "extra_body=[hidden], temperature=0, user=private:0a1b2c3d"
