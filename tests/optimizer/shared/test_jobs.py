"""Jobs: the same for every process, rows whole, the budget shared out; runs survive as JSON."""

import json
import linecache
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimizer_world import TWO_TESTS, baseline_of, make_study, metric_note, note, sort

from pytest_mipro.errors import StorageError
from pytest_mipro.optimizer.proposing.proposal_context import program_source
from pytest_mipro.optimizer.shared.jobs import (
    Job,
    Serialiser,
    chunks,
    job_of,
    row_place,
    split_calls,
)
from pytest_mipro.runtime.calls.own_client import OWN_CLIENT
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.prompt_text import prompt_text
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("repeats", [True, False])
def test_jobs_hold_every_case_once_and_rows_whole(repeats: bool) -> None:
    parts = chunks(reversed(TWO_TESTS.cases), TWO_TESTS.tests, repeats=repeats)
    assert Counter(case.id for cases, _ in parts for case in cases) == Counter(
        case.id for case in TWO_TESTS.cases
    )
    rows = [{case.row for case in cases} for cases, _ in parts]
    assert sum(map(len, rows)) == len(set().union(*rows)) == 42
    runs = 3 if repeats else 2  # of a row: one test has two repeats
    assert [count for _, count in parts] == [runs * len(mine) for mine in rows]
    assert max(count for _, count in parts) <= 8 + runs
    places = [row_place(case.row) for cases, _ in parts for case in cases]
    assert places == sorted(places)


@given(st.integers(0, 10**9), st.lists(st.integers(1, 50), min_size=1))
def test_shares_are_all_there_is(calls: int, weights: list[int]) -> None:
    parts = split_calls(calls, weights)
    assert sum(parts) == calls
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - calls * weight / sum(weights)) <= 1


JOB = Job(("a", "b"), {"p.yaml": {"instruction": "Do.", "demos": []}}, 12)


def test_a_job_is_known_by_all_that_changes_its_result() -> None:
    others = [
        replace(JOB, cases=("a",)),
        replace(JOB, prompts={"p.yaml": {"instruction": "Do!", "demos": []}}),
        replace(JOB, limit=13),
        replace(JOB, repeats=False),
        replace(JOB, first_sample=1),
        replace(JOB, teacher={"model": None, "temperature": 1.0}),
        replace(JOB, max_calls_per_case=3),
    ]
    assert len({JOB.key, *(other.key for other in others)}) == 8
    assert replace(JOB, stage="search").key == JOB.key
    for job in (JOB, *others):
        assert job_of(json.loads(json.dumps(asdict(job)))) == job


def test_prompts_lie_elsewhere_on_another_machine() -> None:
    demo = Demo("r1", {"text": "ü\n"}, ["x", 1], "because")
    prompts = {Path("/here/app/prompts/a.yaml"): Prompt("Do.", (demo,))}
    data = json.loads(json.dumps(Serialiser((), Path("/here/app/tests")).dump_prompts(prompts)))
    assert list(data) == ["../prompts/a.yaml"]
    moved = Serialiser((), Path("/there/tests")).load_prompts(data)
    assert moved == {Path("/there/prompts/a.yaml"): Prompt("Do.", (demo,))}


def test_runs_come_back_whole() -> None:
    study = make_study(tests={"test_note": metric_note})
    with baseline_of(study) as (_, baseline):
        runs = baseline.evaluation.runs
    serialiser = Serialiser(study.cases, ROOT)
    read = [serialiser.load_run(json.loads(json.dumps(serialiser.dump_run(run)))) for run in runs]
    bare = [
        [replace(run, calls=tuple(replace(call, stack=()) for call in run.calls)) for run in each]
        for each in (read, runs)
    ]
    assert bare[0] == bare[1]
    names = [code.co_name for code in read[0].calls[0].stack]
    assert names == [code.co_name for code in runs[0].calls[0].stack]
    assert "metric_note" in names
    assert program_source(read) == program_source(runs) != ""


def test_the_steps_of_a_run_come_back_with_their_source() -> None:
    study = make_study()
    with baseline_of(study) as (_, baseline):
        run = baseline.evaluation.runs[0]
    step = StepCall("make_study", make_study.__code__, {"rows": [1]}, "ready", 0.25, place=2)
    stepped = replace(run, calls=(), steps=(step,))
    data = json.loads(json.dumps(Serialiser(study.cases, ROOT).dump_run(stepped)))
    read = Serialiser(study.cases, ROOT).load_run(data)
    assert program_source([read]) == program_source([stepped])
    assert "def make_study(" in program_source([read])
    (again,) = read.steps
    assert replace(again, code=step.code) == step
    assert (again.seconds, again.place) == (0.25, 2)


def written_call() -> dict[str, object]:
    study = make_study()
    with baseline_of(study) as (_, baseline):
        return Serialiser(study.cases, ROOT).dump_run(baseline.evaluation.runs[0])


def test_a_call_of_the_pipeline_s_own_client_comes_back_wherever_the_project_lies() -> None:
    study = make_study()
    with baseline_of(study) as (_, baseline):
        first = baseline.evaluation.runs[0]
    own = replace(first.calls[0], signature=OWN_CLIENT, stack=())
    data = Serialiser(study.cases, ROOT).dump_run(replace(first, calls=(own,)))
    (read,) = Serialiser(study.cases, Path("/there")).load_run(json.loads(json.dumps(data))).calls
    assert read == own
    assert read.own


def test_a_call_of_a_variant_comes_back_where_nobody_has_called_it_yet() -> None:
    data = written_call()
    assert data["calls"][0]["signature"][2] == ""
    data["calls"][0]["signature"][2] = "elsewhere"
    called, *_ = Serialiser(make_study().cases, ROOT).load_run(data).calls
    plain = called.signature.plain
    assert plain in {note.signature, sort.signature}
    assert called.signature is plain.of_variant("elsewhere")
    again = Serialiser(make_study().cases, ROOT).dump_run(
        Serialiser(make_study().cases, ROOT).load_run(data)
    )
    assert again["calls"][0]["signature"] == data["calls"][0]["signature"]


@pytest.mark.parametrize("variant", ["", "acme"])
def test_a_call_of_a_prompt_text_comes_back_as_the_text_s(tmp_path: Path, variant: str) -> None:
    (tmp_path / "triage.md").write_text("Sort for {company}.")
    text = prompt_text(str(tmp_path / "triage.md")).signature.of_variant(variant)
    study = make_study()
    with baseline_of(study) as (_, baseline):
        first = baseline.evaluation.runs[0]
    inputs = {"company": "Finch", "user_message": "It hangs"}
    own = replace(first.calls[0], signature=text, inputs=inputs, stack=(), shows_demos=False)
    told = [replace(own, calls_tool=True), own]
    data = Serialiser(study.cases, tmp_path).dump_run(replace(first, calls=tuple(told)))
    read = Serialiser(study.cases, tmp_path).load_run(json.loads(json.dumps(data))).calls
    assert list(read) == told
    assert read[0].signature is text


def test_a_module_that_is_not_known_is_an_error() -> None:
    data = written_call()
    data["calls"][0]["signature"][0] = "elsewhere.module"
    with pytest.raises(StorageError, match=r"called the LM module 'elsewhere.module', which this"):
        Serialiser(make_study().cases, ROOT).load_run(data)


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "no_such_file.py", "test_jobs.py"])
def test_no_file_outside_the_project_is_read_and_none_is_run(path: str) -> None:
    data = written_call()
    data["calls"][0]["stack"] = [[path, 1, "root"]]
    linecache.clearcache()
    run = Serialiser(make_study().cases, ROOT).load_run(data)
    assert [code.co_filename for code in run.calls[0].stack] == ["<unknown>"]
    assert not [name for name in linecache.cache if name.endswith("passwd")]
    assert {call.signature for call in run.calls} == {note.signature, sort.signature}
