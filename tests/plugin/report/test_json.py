"""`--mipro-json`: the report for programs, checked against its schema."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from gate_project import LOCK, TESTS, WORDS, write_gate, write_prompt, write_words
from optimize_project import optimize, write_project

import pytest_mipro.plugin.report
from pytest_mipro.plugin.gate.differences import Kind

PATH = Path(pytest_mipro.plugin.report.__path__[0]) / "json_report.schema.json"
SCHEMA = json.loads(PATH.read_text())
GROUPED = TESTS.replace('"words.jsonl"', '"words.jsonl"').replace(
    "threshold=0.1", 'threshold=0.1, max_regression=0.5, group="text", repeats=2'
)


def report(pytester: pytest.Pytester, name: str = "out.json") -> Any:
    data = json.loads((pytester.path / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


def test_the_schema_is_one_and_refuses_what_it_does_not_know():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate({"schema_version": 1})


def test_the_schema_knows_each_kind_of_difference():
    found = SCHEMA["$defs"]["study"]["properties"]["lock"]["properties"]["differences"]
    assert found["items"]["properties"]["kind"]["enum"] == list(get_args(Kind))


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_gate(pytester, workers):
    pytest.importorskip("xdist")
    write_gate(pytester, GROUPED)
    pytester.runpytest("--mipro-update-lock")
    write_prompt(pytester, "Say the word loudly.")
    write_words(pytester, (*WORDS[:-1], "seven"))
    result = pytester.runpytest("--mipro-json=reports/out.json", "--mipro-show", workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*- mipro: wrote reports/out.json -*"])
    data = report(pytester, "reports/out.json")
    assert (data["schema_version"], data["kind"], data["exit_status"]) == (2, "gate", 0)
    assert data["versions"]["pytest-mipro"] == version("pytest-mipro")
    (study,) = data["studies"]
    assert study["name"] == "test_words.py"
    assert (study["lock"]["path"], study["lock"]["found"]) == (LOCK, True)
    assert [d["kind"] for d in study["lock"]["differences"]] == ["prompt", "cases"]
    (use,) = study["modules"]
    assert (use["module"], use["model"], use["calls"]) == ("pipeline.say", "test/fake", 12)
    assert use["prompt_tokens"] > 0
    (test,) = study["tests"]
    assert (test["status"], test["name"]) == ("passed", "test_say")
    assert {rule["name"] for rule in test["rules"]} == {"threshold", "max_regression", "group"}
    assert all(rule["held"] for rule in test["rules"])
    assert (test["all"]["mean"], test["all"]["cases"], test["counts"]) == (1.0, 6, {"passed": 6})
    assert test["comparison"]["left_out"] == 1
    assert len(test["comparison"]["improved"]) == 4
    assert len(test["groups"]) == 6
    assert [case["id"] for case in test["cases"]] == sorted(
        f"test_say[{word}]" for word in (*WORDS[:-1], "seven")
    )
    one = next(case for case in test["cases"] if case["id"] == "test_say[one]")
    assert (one["score"], one["samples"], one["status"]) == (1.0, [1.0, 1.0], "passed")
    assert one["group"] == "one"
    assert [(call["sample"], call["reply"]) for call in one["trace"]] == [(0, "ONE"), (1, "ONE")]
    assert one["locked_score"] == 1.0


def test_feedback_problems_and_failure(pytester):
    write_gate(pytester, TESTS.replace("0.1", "0.9"), words=("one", "two", "down"))
    assert pytester.runpytest("--mipro-json=out.json").ret == 1
    data = report(pytester)
    (test,) = data["studies"][0]["tests"]
    assert (data["exit_status"], test["status"]) == (1, "incomplete")
    cases = {case["row"]: case for case in test["cases"]}
    assert cases["words.jsonl:two"]["feedback"] == "got 'two', wanted 'TWO'"
    assert cases["words.jsonl:down"]["problem"] == "the endpoint is down"
    assert cases["words.jsonl:down"]["score"] is None


def test_a_written_lock_is_named(pytester):
    write_gate(pytester)
    pytester.runpytest("--mipro-json=out.json", "--mipro-update-lock")
    data = report(pytester)
    assert data["written"] == [LOCK]
    assert data["studies"][0]["lock"]["found"] is False


def test_part_of_the_cases_and_a_run_without_marked_tests(pytester):
    write_gate(pytester)
    pytester.runpytest("--mipro-json=out.json", "-k", "one")
    assert report(pytester)["studies"][0]["tests"][0]["status"] == "partial"
    pytester.makepyfile(test_plain="def test_it(): pass")
    assert pytester.runpytest("--mipro-json=out.json", "test_plain.py").ret == 0
    assert report(pytester)["studies"] == []


def test_a_collection_error_has_a_report_too(pytester):
    write_gate(pytester, TESTS.replace("threshold", "treshold"))
    assert pytester.runpytest("--mipro-json=out.json").ret == 2
    assert report(pytester)["exit_status"] == 2


def test_an_optimisation(pytester):
    write_project(pytester)
    result = optimize(pytester, "-v", "--mipro-json=out.json")
    assert result.ret == 0
    data = report(pytester)
    assert data["kind"] == "optimize"
    (item,) = data["optimizations"]
    assert item["study"] == "test_numbers.mipro.json"
    assert item["decision"]["verdict"] in ("accept", "unconfirmed")
    assert item["decision"]["bound"] > 0
    assert item["decided_on"] == "holdout"  # its instructions are new
    assert sum(item["split"][place] for place in ("train", "validation", "holdout")) == 40
    assert [trial["number"] for trial in item["trials"]] == list(range(1, len(item["trials"]) + 1))
    assert {trial["kind"] for trial in item["trials"]} == {"minibatch", "full"}
    assert item["after"]["objective"] > item["before"]["objective"]
    (module,) = item["modules"]
    assert module["prompt_path"] == "prompts/pipeline.parity.yaml"
    assert (module["model"], module["changed"]) == ("test/fake", True)
    assert set(data["written"]) == {"prompts/pipeline.parity.yaml", "test_numbers.mipro.json"}
    calls, asked = item["calls"], item["asked"]
    assert asked > calls > 40
    result.stdout.fnmatch_lines(
        [f"calls * {calls:,} distinct LM calls of {asked:,} asked for: {asked - calls:,} reused, *"]
    )


def test_an_optimisation_that_only_shows_its_changes(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-json=out.json", "--mipro-diff")
    data = report(pytester)
    assert data["written"] == []
    assert data["optimizations"][0]["modules"][0]["changed"]


@pytest.mark.parametrize("option", ["--mipro-json", "--mipro-markdown"])
@pytest.mark.parametrize("path", [".", "conftest.py/out", "", "/proc/nothing/out"])
def test_a_path_that_cannot_be_written_is_told_before_a_call(pytester, option, path):
    write_gate(pytester)
    result = pytester.runpytest(f"{option}={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line]
    assert line.startswith(f"ERROR: {option} must be the path of a file that can be written, got ")
    assert not (pytester.path / ".mipro").exists()


@pytest.mark.parametrize("name", ["test_say.mipro.json", "test_say.replies.jsonl", "pipeline.py"])
def test_a_report_takes_no_place_of_a_lock_replies_or_code(pytester, name):
    write_gate(pytester)
    path = pytester.path / name
    path.write_text("mine")
    result = pytester.runpytest(f"--mipro-json={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mipro-json must be a file of its own, no lock, *"])
    assert path.read_text() == "mine"


def test_two_reports_need_two_files(pytester):
    write_gate(pytester)
    result = pytester.runpytest("--mipro-json=out", "--mipro-markdown=out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mipro-json and --mipro-markdown name the same file, *"])


def test_a_report_that_cannot_be_written_at_the_end_fails_the_run(pytester):
    tests = f"{TESTS}\ndef test_zz():\n    import pathlib\n    pathlib.Path('out.json').mkdir()\n"
    write_gate(pytester, tests)
    result = pytester.runpytest("--mipro-json=out.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*mipro: no report: *out.json*"])
