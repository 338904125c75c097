"""Prompt files that stop a study: not to be written, malformed, or changed while it ran."""

import os
import sys

import pytest
from optimize_project import (
    LOCK,
    PROMPT,
    TESTS,
    live_calls,
    optimize,
    stopped,
    write_project,
    written,
)


def prompt_at(place: str) -> str:
    return f'''
from typing import Literal
from pytest_mipro import lm_module

@lm_module(prompt="{place}")
def parity(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""
'''


PROMPT_TEXT = "schema_version: 1\nmodule: pipeline.parity\ninstruction: Guess.\ndemos: []\n"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("../outside/parity.yaml", "is outside the project"),
        ("site-packages/parity.yaml", "belongs to an installed package"),
        ("folder.yaml", "is not a file"),
    ],
)
def test_a_prompt_that_must_not_be_written_is_refused_before_the_search(pytester, place, why):
    inner = pytester.mkdir("inner")
    pytester._path = inner  # the project lies in a folder, beside which there is another
    os.chdir(inner)
    write_project(pytester)
    (inner / "pipeline.py").write_text(prompt_at(place))
    target = inner / place
    target.parent.mkdir(exist_ok=True)
    target.write_text(PROMPT_TEXT)
    if place == "folder.yaml":
        real = inner / "real.yaml"
        target.rename(real)
        target.symlink_to("../outside.yaml")
        (inner.parent / "outside.yaml").write_text(PROMPT_TEXT)
        why = "is outside the project"
    result = optimize(pytester)
    stopped(result, f"*pipeline.py*its prompt file * {why}*Nothing is written for this study")
    assert live_calls(pytester) == 40  # the baseline alone
    assert target.read_text() == PROMPT_TEXT


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write all")
def test_a_read_only_prompt_is_refused_before_the_search(pytester):
    write_project(pytester)
    prompt = pytester.path / PROMPT
    prompt.parent.mkdir()
    prompt.write_text(PROMPT_TEXT)
    prompt.chmod(0o400)
    stopped(optimize(pytester), "*its prompt file *: it is read-only; correct that*")


def test_a_prompt_in_the_way_is_refused_before_the_search(pytester):
    write_project(pytester)
    (pytester.path / "prompts").write_text("a file where a folder must be")
    stopped(optimize(pytester), "*its prompt file *is not a folder; correct that*")
    assert live_calls(pytester) == 40


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("schema_version: 1\nmodule: m\ninstruction: [\n", ":*"),
        (PROMPT_TEXT + "extra: 1\n", ":5: *'extra'*"),
        (PROMPT_TEXT.replace("schema_version: 1", "schema_version: 9"), ":1: *"),
        (PROMPT_TEXT.replace("Guess.", "[1]"), ":3: *"),
    ],
    ids=["not YAML", "unknown key", "version", "type"],
)
def test_a_malformed_prompt_file_is_one_line_with_its_place(pytester, text, line):
    write_project(pytester)
    prompt = pytester.path / PROMPT
    prompt.parent.mkdir()
    prompt.write_text(text)
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.INTERRUPTED  # a collection error
    result.stdout.fnmatch_lines([f"*{PROMPT}{line}", "ERROR test_numbers.py - *"])
    assert live_calls(pytester) == 0
    assert prompt.read_text() == text


CHANGING = """
def pytest_mipro_{hook}(config, {argument}):
    path = pathlib.Path({path!r})
    path.parent.mkdir(exist_ok=True)
    path.write_text({text!r})
"""


@pytest.mark.parametrize(
    ("hook", "argument", "path"),
    [("trial_finished", "trial", PROMPT), ("study_finished", "result", LOCK)],
)
def test_a_file_changed_meanwhile_is_not_overwritten(pytester, hook, argument, path):
    text = PROMPT_TEXT if path == PROMPT else "{}"
    conftest = CHANGING.format(hook=hook, argument=argument, path=path, text=text)
    write_project(pytester, conftest=conftest)
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [f"not written: *{path} changed while the study ran; commit or revert that change *"]
    )
    assert (pytester.path / path).read_text() == text
    assert len(written(pytester)) == 1
    assert not (pytester.path / ".mipro/pending-writes.json").exists()


def test_a_prompt_changed_during_the_baseline_stops_the_study(pytester):
    source = TESTS.replace(
        "    assert",
        f"    if number == 39:\n        import pathlib\n        path = pathlib.Path({PROMPT!r})\n"
        f"        path.parent.mkdir(exist_ok=True)\n        path.write_text({PROMPT_TEXT!r})\n"
        "    assert",
    )
    write_project(pytester, source)
    result = optimize(pytester, "--mipro-concurrency=1")
    stopped(result, f"*{PROMPT} changed while the study ran; *")
    assert live_calls(pytester) == 40
    assert (pytester.path / PROMPT).read_text() == PROMPT_TEXT
