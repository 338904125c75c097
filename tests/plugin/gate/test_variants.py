"""The gate of variants: each is a row of its own in lock and reports, and is named."""

from __future__ import annotations

import json

from gate_project import LOCK, PIPELINE, write_gate, write_prompt
from printed import flat

TESTS = """
import pytest
from pytest_mipro import cases, variant
from pipeline import say

@pytest.mark.mipro(threshold=0.1)
@cases("words.jsonl")
def test_acme(text):
    with variant("acme"):
        assert say(text=text) == text.upper()

@pytest.mark.mipro(threshold=0.1)
@cases("words.jsonl")
def test_globex(text):
    assert say.using(variant="globex")(text=text) == text.upper()

@pytest.mark.mipro(threshold=0.1)
@cases("words.jsonl")
def test_plain(text):
    assert say(text=text) == text.upper()
"""


def project(pytester):
    write_gate(pytester, TESTS)
    write_prompt(pytester, "Say it loudly.", variant="@acme")


def test_block_lock_and_json_have_a_row_for_each_variant(pytester):
    project(pytester)
    result = pytester.runpytest_inprocess("--mipro-update-lock", "--mipro-json=r.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "test_acme * 1.000 *passed:*",
            "test_globex * 0.167 *5 missed",
            "variant acme: its own prompt for pipeline.say",
            "variant globex: the plain prompt for pipeline.say",
        ]
    )
    names = ["pipeline.say", "pipeline.say@acme", "pipeline.say@globex"]
    lock = json.loads((pytester.path / LOCK).read_text())
    assert [module["name"] for module in lock["modules"]] == names
    plain, acme, globex = lock["modules"]
    assert globex["prompt_path"] == "prompts/pipeline.say@globex.yaml"
    assert plain["prompt"] == globex["prompt"] != acme["prompt"]
    (study,) = json.loads((pytester.path / "r.json").read_text())["studies"]
    assert [module["module"] for module in study["modules"]] == names
    assert all(module["calls"] == 6 for module in study["modules"])


def test_plain_runs_name_no_variant(pytester):
    write_gate(pytester)
    result = pytester.runpytest_inprocess("-v")
    assert result.ret == 0
    assert "\nvariant " not in result.stdout.str()


def test_a_fallback_that_changes_is_drift_of_the_variant_which_follows_it(pytester):
    project(pytester)
    assert pytester.runpytest_inprocess("--mipro-update-lock").ret == 0
    write_prompt(pytester, "Say it in a low voice.")
    text = flat(pytester.runpytest_inprocess())
    plain = "prompts/pipeline.say.yaml"
    assert f"{plain} is new; before, the docstring of pipeline.say was used" in text
    assert f"{plain}, which pipeline.say@globex follows, is new; before, the docstring" in text
    assert "pipeline.say@acme" not in text.partition("differs from")[2]


def test_a_variant_that_gets_its_own_file_is_drift(pytester):
    project(pytester)
    assert pytester.runpytest_inprocess("--mipro-update-lock").ret == 0
    write_prompt(pytester, "Say it loudly.", variant="@globex")
    result = pytester.runpytest_inprocess()
    result.stdout.fnmatch_lines(
        [
            "test_globex * 1.000 *",
            "variant globex: its own prompt for pipeline.say",
            "* prompts/pipeline.say@globex.yaml is new; before, the docstring of*",
        ]
    )


def test_a_variant_s_broken_file_is_one_error_at_collection(pytester):
    project(pytester)
    write_prompt(pytester, "", variant="@initech")
    result = pytester.runpytest_inprocess()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*prompts/pipeline.say@initech.yaml:3: the instruction is empty*"])
    assert flat(result).count("is empty") <= 2  # in the error, and in the short summary


def test_a_variant_with_its_own_file_needs_no_plain_one(pytester):
    project(pytester)
    required = PIPELINE.replace("@lm_module", '@lm_module(prompt="prompts/pipeline.say.yaml")')
    (pytester.path / "pipeline.py").write_text(required)
    result = pytester.runpytest_inprocess("-k", "acme")
    assert result.ret == 0
    assert "variant acme: its own prompt for pipeline.say" in flat(result)
