"""A pipeline that a fixture calls is measured, locked and refused as one that a test calls."""

from __future__ import annotations

import json
import sys

import pytest
from gate_project import write_gate, write_prompt

SWALLOWING = """
def route(text):
    try:
        return echo(text=text)
    except Exception:  # production's fallback
        return "fallback"
"""
ROUTED = f"""{SWALLOWING}
@pytest.fixture(scope="SCOPE", params=["fallback", "two", "down", "four"])
def routed(request): return request.param, route(request.param)

@pytest.mark.mipro(threshold=0.1)
def test_route(routed):
    text, got = routed
    assert got == text
"""
SHARED = f"""{SWALLOWING}
@pytest.fixture(scope="SCOPE")
def answer(): return route("down")

@pytest.mark.mipro(threshold=0.1)
def test_first(answer): assert answer == "fallback"

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("text", ["one", "two"])
def test_second(text, answer): assert answer == "fallback"

@pytest.mark.mipro(threshold=0.1)
def test_without(): assert echo(text="one") == "one"
"""
NAMES = ("function", "class", "module", "package", "session")
SCOPES = pytest.mark.parametrize("scope", NAMES)


@SCOPES
@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_replay_of_nothing_is_no_score(pytester, desk, scope, workers):
    desk(ROUTED.replace("SCOPE", scope))
    result = pytester.runpytest(workers, "--mipro-replies=replay")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"errors": 4, "failed": 1}
    result.stdout.fnmatch_lines(
        [
            "fixture routed: LM module 'pipeline.echo' has no recorded reply: nothing is recorded*",
            "test_route  4 cases  4 error  INCOMPLETE: 4 cases had an error",
        ]
    )


@SCOPES
def test_an_endpoint_that_is_down_is_an_error_of_the_case_that_the_fixture_serves(
    pytester, desk, scope
):
    desk(ROUTED.replace("SCOPE", scope))
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"errors": 1, "failed": 1, "passed": 3}
    result.stdout.fnmatch_lines(["fixture routed: the endpoint is down"])


@SCOPES
def test_what_broke_in_a_shared_fixture_is_an_error_of_each_case_that_uses_it(
    pytester, desk, scope
):
    desk(SHARED.replace("SCOPE", scope))
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"errors": 3, "failed": 2, "passed": 2}
    result.stdout.fnmatch_lines(
        [
            "test_first*INCOMPLETE: 1 case had an error",
            "test_second*INCOMPLETE: 2 cases had an error",
            "test_without*passed: threshold 0.10 reached",
        ]
    )


def in_conftest(pytester, source: str) -> None:
    conftest = pytester.path / "conftest.py"
    conftest.write_text(f"{conftest.read_text()}\nfrom pipeline import echo\n{source}")


def test_an_unmarked_test_that_came_first_hides_no_error(pytester, desk):
    fixture, mark, tests = SHARED.replace("SCOPE", "session").partition("@pytest.mark")
    desk(mark + tests, test_a="def test_plain(answer): pass\n")
    in_conftest(pytester, fixture)
    assert pytester.runpytest().parseoutcomes() == {"errors": 3, "failed": 2, "passed": 3}


@pytest.mark.parametrize(
    "ways",
    [
        # asked for in another fixture's set-up
        """
@pytest.fixture
def outer(request): return request.getfixturevalue("answer")
""",
        # asked for by one that lives on, which hides the inner one from the second case
        """
@pytest.fixture(scope="session")
def outer(request): return request.getfixturevalue("answer")
""",
        # asked for by a static dependency that was there before
        """
@pytest.fixture(scope="session")
def outer(answer): return answer
""",
    ],
)
def test_a_fixture_of_a_fixture_hides_no_error(pytester, desk, ways):
    tests = """
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("text", ["one", "two"])
def test_outer(text, outer): assert outer == "fallback"
"""
    fixture = SHARED.replace("SCOPE", "session").partition("@pytest.mark")[0]
    desk(fixture + ways + tests)
    assert pytester.runpytest().parseoutcomes() == {"errors": 2, "failed": 1}


@pytest.mark.parametrize("asks", [True, False])
def test_an_overridden_fixture_counts_where_it_is_asked_for(pytester, desk, asks):
    fixture = SHARED.replace("SCOPE", "session").partition("@pytest.mark")[0]
    override = f"""
@pytest.fixture(scope="session")
def answer({"answer" if asks else ""}): return "fallback"

@pytest.mark.mipro(threshold=0.1)
def test_over(answer): assert answer == "fallback"
"""
    desk(override, test_a="def test_plain(answer): pass\n")
    in_conftest(pytester, fixture)
    assert pytester.runpytest().ret == asks


def test_a_fixture_that_skips_after_an_error_skips_nothing(pytester, desk):
    desk("""
@pytest.fixture(params=["one", "down"])
def answer(request):
    try: return echo(text=request.param)
    except Exception: pytest.skip("no model today")

@pytest.mark.mipro(threshold=0.1)
def test_it(answer): assert answer
""")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"errors": 1, "failed": 1, "passed": 1}


def test_the_hooks_of_a_set_up_count_too(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.1)
def test_it(): pass
""")
    hook = """
def pytest_runtest_setup(item):
    try: echo(text="down")
    except Exception: pass
"""
    in_conftest(pytester, hook)
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["the set-up: the endpoint is down"])


@pytest.mark.parametrize("options", [(), ("--mipro-replies=replay",)])
def test_setup_module_is_named_as_it_is_written(pytester, desk, options):
    source = (
        SWALLOWING
        + """
def setup_module(): route("down")

@pytest.mark.mipro(threshold=0.1)
def test_it(): pass
"""
    )
    desk(source)
    result = pytester.runpytest(*options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines([r"fixture setup_module: (the endpoint|LM module) .*"])


JUDGED = """
@pytest.fixture(scope="SCOPE", params=["one", "two"])
def reply(request): return request.param, echo(text=request.param)

@pytest.mark.mipro(threshold=0.1)
def test_reply(reply): assert number(text="1") == 1 and reply[0] == reply[1]

@pytest.mark.mipro(threshold=0.1)
def test_alone(reply): assert reply[0] == reply[1]
"""


@pytest.mark.parametrize(
    ("scope", "workers"),
    [*((scope, "-n0") for scope in NAMES), ("class", "-n1"), ("session", "-n1")],
)
def test_calls_of_fixtures_are_in_the_figures_and_in_the_lock(pytester, desk, scope, workers):
    desk(JUDGED.replace("SCOPE", scope))
    result = pytester.runpytest(workers, "--mipro-update-lock")
    assert result.ret == 0
    times = 2 if scope in ("function", "class") else 1  # each function is a class of its own
    result.stdout.re_match_lines([rf"{2 * times + 2} LM calls: .*"])
    result.stdout.no_fnmatch_line("*no case called an LM module*")
    lock = json.loads((pytester.path / "test_desk.mipro.json").read_text())
    assert [each["name"] for each in lock["modules"]] == ["pipeline.echo", "pipeline.number"]
    pipeline = pytester.path / "pipeline.py"
    pipeline.write_text(pipeline.read_text().replace("Repeat the text", "Say it again"))
    strict = pytester.runpytest(workers, "--mipro-strict")
    assert strict.ret == pytest.ExitCode.TESTS_FAILED
    strict.stdout.fnmatch_lines(["*the docstring of pipeline.echo changed*"])


def test_what_a_fixture_recorded_is_replayed(pytester, desk):
    desk(JUDGED.replace("SCOPE", "session"))
    assert pytester.runpytest("--mipro-replies=record").ret == 0
    result = pytester.runpytest("--mipro-replies=replay")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["4 LM calls: *"])


def test_show_prints_the_calls_of_a_case_s_fixtures(pytester, desk):
    desk(JUDGED.replace("SCOPE", "session"))
    result = pytester.runpytest("--mipro-show", "-k", "test_reply and one")
    result.stdout.fnmatch_lines(["call 1 of 2: pipeline.echo, *", "call 2 of 2: pipeline.number*"])


def test_the_bill_has_the_calls_of_fixtures(pytester, desk):
    desk(JUDGED.replace("SCOPE", "session"))
    pytester.runpytest()
    cost = pytester.run(sys.executable, "-m", "pytest_mipro", "cost")
    cost.stdout.fnmatch_lines(["in all 3 calls, *"])


OPEN_BOOK = """
from pytest_mipro.runtime.client.contract import ScriptedClient

def reply(request):
    word = request.messages[-1].content.partition("<text>\\n")[2].partition("\\n</text>")[0]
    return word.upper() if word.upper() in str(request.messages[:-1]) else word

def pytest_mipro_client(config):
    return ScriptedClient(reply)
"""
SPOKEN = """
import pytest
from pytest_mipro import cases
from pipeline import say

@pytest.fixture
def said(text): return say(text=text)

@pytest.mark.mipro(threshold=0.1)
@cases("words.jsonl")
def test_say(said, text): assert said == text.upper()
"""
SPOKEN_ONCE = """
import pytest
from pipeline import say

@pytest.fixture(scope="module", params=["one", "two"])
def said(request): return request.param, say(text=request.param)

@pytest.mark.mipro(threshold=0.1)
def test_say(said): assert said[1] == said[0].upper()
"""


@pytest.mark.parametrize(
    ("tests", "demo", "score"),
    [
        (SPOKEN, "{case: 'words.jsonl:one', inputs: {text: one}, output: ONE}", "0.000"),
        (SPOKEN, "{case: 'words.jsonl:one', inputs: {text: no more}, output: ONE}", "0.000"),
        (SPOKEN, "{case: 'words.jsonl:two', inputs: {text: no more}, output: ONE}", "0.500"),
        (SPOKEN_ONCE, "{case: elsewhere, inputs: {text: one}, output: ONE}", "0.000"),
    ],
)
def test_a_fixture_shows_no_case_its_own_demo(pytester, tests, demo, score):
    write_gate(pytester, tests, words=("one", "two"))
    pytester.makeconftest(OPEN_BOOK)
    prompt = write_prompt(pytester, "Say the word.")
    prompt.write_text(prompt.read_text().replace("demos: []", f"demos: [{demo}]"))
    result = pytester.runpytest("-p", "no:randomly")
    result.stdout.fnmatch_lines([f"test_say  {score} *"])
