"""`@step` in a run: kept, recorded, replayed, and shown where modules' calls are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from optimize_project import LOCK, optimize, run, write_project

REPLIES = "test_desk.replies.jsonl"
SEARCH = """
import pathlib
from pytest_mipro import lm_module, step

ROWS = pathlib.Path(__file__).with_name("rows.txt")

@step(cache=True)
def search(query: str, top: int = 1) -> list:
    with open("made.txt", "a") as made:
        made.write(query + "\\n")
    return [f"{ROWS.read_text()} {query}"] * top

@step
def shorten(found: list) -> str:
    return found[0].upper()

@lm_module
def echo(text: str) -> str:
    \"\"\"Repeat the text.\"\"\"

def answer(query):
    return echo(text=shorten(search(query)))
"""
TESTS = """
import pytest
from search import answer

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("query", ["one", "two"])
def test_answer(query):
    assert answer(query) == f"ROW {query.upper()}"
"""
CONFTEST = """
from pytest_mipro.runtime.client.contract import ScriptedClient

def pytest_mipro_client(config):
    return ScriptedClient(lambda request: request.messages[-1].content.split("\\n")[1])
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nmipro_model = test/echo\npythonpath = .\n")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(search=SEARCH, test_desk=TESTS)
    (pytester.path / "rows.txt").write_text("row")
    return pytester


def made(project: pytest.Pytester) -> list[str]:
    path = project.path / "made.txt"
    return path.read_text().split() if path.exists() else []


def recorded(project: pytest.Pytester) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (project.path / REPLIES).read_text().splitlines()[1:]:
        reply = json.loads(line)
        found.setdefault(reply["module"], []).append(reply["text"])
    return found


@pytest.mark.parametrize(("recorders", "replayers"), [("-n0", "-n0"), ("-n2", "-n1")])
def test_it_is_made_once_and_replayed_offline(
    project: pytest.Pytester, recorders: str, replayers: str
) -> None:
    run(project, "--mipro-replies=record", recorders).assert_outcomes(passed=3)
    assert sorted(made(project)) == ["one", "two"]
    assert recorded(project)["step search.search"] == ['["row one"]', '["row two"]']
    (project.path / "rows.txt").unlink()  # the index is not in CI
    replay = run(project, "--mipro-replies=replay", "--mipro-cache=off", replayers)
    replay.assert_outcomes(passed=3)
    assert len(made(project)) == 2
    before = (project.path / REPLIES).read_bytes()
    run(project, "--mipro-replies=record").assert_outcomes(passed=3)
    assert (project.path / REPLIES).read_bytes() == before


def test_what_is_not_recorded_gives_the_line_that_says_why(project: pytest.Pytester) -> None:
    run(project, "--mipro-replies=record")
    (project.path / "test_desk.py").write_text(TESTS.replace('"two"', '"three"'))
    result = run(project, "--mipro-replies=replay")
    missing = (
        "*test_answer?three?: the step 'search.search' has no recorded reply: "
        "test_desk.replies.jsonl has replies of this step, but none for this case or these "
        "inputs; run `pytest --mipro-replies=record` and commit the file*"
    )
    result.stdout.fnmatch_lines([missing])
    changed = SEARCH.replace("{query}", "{query}!")
    (project.path / "search.py").write_text(changed)
    (project.path / "test_desk.py").write_text(TESTS)
    result = run(project, "--mipro-replies=replay")
    result.stdout.fnmatch_lines(["*'search.search' has no recorded reply*a change of its source;*"])
    assert len(made(project)) == 2


def test_fresh_makes_it_anew(project: pytest.Pytester) -> None:
    run(project)
    run(project)
    assert len(made(project)) == 2
    run(project, "--mipro-replies=fresh")
    assert len(made(project)) == 4


def test_a_clock_among_the_inputs_is_told_by_the_recording(project: pytest.Pytester) -> None:
    now = "{__import__('time').time_ns()}"
    source = SEARCH.replace("search(query))", f'search(f"{{query}} {now}"))')
    (project.path / "search.py").write_text(source)
    result = run(project, "--mipro-replies=record")
    result.stdout.fnmatch_lines(["not replayable: test_answer?one?, the step 'search.search': *"])
    assert "step search.search" not in recorded(project)


def test_a_failing_case_shows_what_its_steps_gave(project: pytest.Pytester) -> None:
    (project.path / "test_desk.py").write_text(TESTS.replace("ROW", "LINE"))
    result = run(project)
    result.stdout.fnmatch_lines(
        ['*- search.search: ?"row one"?', "*- search.shorten: ROW ONE", "*- search.echo: ROW ONE"]
    )


def page(project: pytest.Pytester, name: str) -> Any:
    (path,) = (project.path / ".mipro" / "report").glob(f"*/{name}.html")
    found = re.findall(r' id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    return json.loads(found[0])


def test_show_and_the_reports_have_them_in_order(project: pytest.Pytester) -> None:
    result = run(project, "-k", "one", "--mipro-show", "--mipro-json=out.json", "--mipro-report")
    result.stdout.fnmatch_lines(
        [
            "call 1 of 3: step search.search: live, 0.00 s",
            "--- inputs ---",
            '{"query": "one", "top": 1}',
            "--- output ---",
            '["row one"]',
            "call 2 of 3: step search.shorten: live, 0.00 s",
            "--- output ---",
            '"ROW ONE"',
            "call 3 of 3: search.echo, test/echo: live, *",
        ]
    )
    (test,) = json.loads((project.path / "out.json").read_text())["studies"][0]["tests"]
    (case,) = test["cases"]
    shown = [(each["step"], each["module"], each["output"]) for each in case["trace"]]
    assert shown == [
        (True, "search.search", ["row one"]),
        (True, "search.shorten", "ROW ONE"),
        (False, "search.echo", "ROW ONE"),
    ]
    assert case["calls"] == 1  # of LMs
    data = page(project, "gate")
    search, shorten, echo = data["cases"][0]["runs"][0]["calls"]
    texts = [data["texts"][search[name]] for name in ("module", "inputs", "output")]
    assert texts == ["search.search", '{"query": "one", "top": 1}', '["row one"]']
    assert data["texts"][shorten["output"]] == '"ROW ONE"'
    assert [each.get("step", False) for each in (search, shorten, echo)] == [True, True, False]
    assert [each["cached"] for each in (search, shorten, echo)] == [False] * 3
    again = run(project, "-k", "one", "--mipro-show")
    again.stdout.fnmatch_lines(["call 1 of 3: step search.search: cached"])


def test_a_result_that_echoes_a_key_is_kept_nowhere(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-proj-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    (project.path / "rows.txt").write_text(key)
    result = run(project, "--mipro-replies=record")
    result.stdout.fnmatch_lines(["*the step 'search.search' echoed a credential*"])
    for path in Path(project.path).rglob("*"):
        if path.is_file() and path.name != "rows.txt":
            assert key.encode() not in path.read_bytes(), path


def test_a_fixture_s_step_is_recorded_too(project: pytest.Pytester) -> None:
    (project.path / "test_desk.py").write_text(
        TESTS.replace("def test_answer(query)", "def test_answer(query, found)")
        + "\n@pytest.fixture(scope='module')\ndef found():\n    return answer('three')\n"
    )
    run(project, "--mipro-replies=record").assert_outcomes(passed=3)
    run(project, "--mipro-replies=replay", "--mipro-cache=off").assert_outcomes(passed=3)
    assert sorted(made(project)) == ["one", "three", "two"]


OPTIMISED = """
from steps import doubled

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    assert parity(number=str(doubled(number) // 2)) == ("odd" if number % 2 else "even")
"""
STEP = """
from pytest_mipro import step

@step(cache=True)
def doubled(number: int) -> int:
    with open("made.txt", "a") as made:
        made.write(f"{number}\\n")
    # adds the number to itself
    return number + number
"""


def test_an_optimisation_makes_each_once_and_counts_none(pytester: pytest.Pytester) -> None:
    write_project(pytester, OPTIMISED)
    (pytester.path / "steps.py").write_text(STEP)
    result = optimize(pytester, "--mipro-json=out.json")
    data = page(pytester, "index")
    for step, call in (each["calls"] for case in data["cases"] for each in case["runs"]):
        assert (step["step"], "asked" in call) == (True, True)
        doubled = json.loads(data["texts"][step["output"]])
        assert json.loads(data["texts"][step["inputs"]]) == {"number": doubled // 2}
    assert (pytester.path / LOCK).is_file(), result.outlines
    assert sorted(map(int, made(pytester))) == list(range(40))
    calls = int((pytester.path / "calls.txt").read_text().split()[0])
    (found,) = json.loads((pytester.path / "out.json").read_text())["optimizations"]
    assert found["calls"] == calls
    assert "doubled" not in json.dumps(found["spending"])
