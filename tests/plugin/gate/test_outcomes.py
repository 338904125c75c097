"""What each way to end means: scores, errors, skips, failures, and canonical feedback."""

from __future__ import annotations

import json

import pytest

import pytest_mipro
from pytest_mipro.errors import (
    ConfigurationError,
    EndpointError,
    OutputParseError,
    RefusalError,
)
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.measuring.feedback import MAX_CHARS, canonical, canonical_repr
from pytest_mipro.plugin.measuring.measure import case_status, mean_outcome, measure
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import ScriptedClient


def raising(error: BaseException):
    def test() -> None:
        raise error

    return test


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (None, Outcome(1.0)),
        (True, Outcome(1.0, returned=True)),
        (False, Outcome(0.0, returned=True)),
        (0.25, Outcome(0.25, returned=True)),
        (1, Outcome(1.0, returned=True)),
        (0.1 * 3 + 0.7 + 2e-16, Outcome(1.0, returned=True)),
        (1.0000000000000002, Outcome(1.0, returned=True)),
        (0.3 - 0.1 * 3, Outcome(0.0, returned=True)),
        (
            pytest_mipro.Score(0.5, "half", length=3),
            Outcome(0.5, "half", {"length": 3.0}, returned=True),
        ),
    ],
)
def test_a_returned_value_is_the_score(value, outcome):
    assert measure(lambda: value) == outcome


def test_a_scalar_of_numpy_is_a_number():
    numpy = pytest.importorskip("numpy")
    assert measure(lambda: numpy.float32(0.5)).score == 0.5
    assert measure(lambda: numpy.bool_(True)).score == 1.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "the score nan is not in 0…1"),
        (float("inf"), "the score inf is not in 0…1"),
        (-0.1, "the score -0.1 is not in 0…1"),
        (1.1, "the score 1.1 is not in 0…1"),
        (1.00000001, "the score 1.00000001 is not in 0…1"),
        (10**400, "the score inf is not in 0…1"),
        ("0.5", "the test returned '0.5'"),
        ([1.0], "the test returned [1.0]"),
        (pytest_mipro.Score("high"), "Score.value is 'high'"),
        (pytest_mipro.Score(None), "Score.value is None"),
        (pytest_mipro.Score(1.0, length="long"), "the metric 'length' is not a finite number"),
        (
            pytest_mipro.Score(1.0, length=float("nan")),
            "the metric 'length' is not a finite number",
        ),
    ],
)
def test_what_is_no_score_is_an_error(value, text):
    outcome = measure(lambda: value)
    assert outcome.score is None
    assert outcome.error.startswith(text)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (AssertionError("no"), Outcome(0.0, "no")),
        (OutputParseError("not a number"), Outcome(0.0, "not a number")),
        (RefusalError("refused"), Outcome(0.0, "refused")),
        (EndpointError("down"), Outcome(None, error="down")),
        (ConfigurationError("no model"), Outcome(None, error="no model")),
        (ValueError("bad\nvalue"), Outcome(None, failure="ValueError: bad value")),
        (SystemExit(3), Outcome(None, failure="SystemExit: 3")),
        (ExceptionGroup("g", [AssertionError("in a task")]), Outcome(0.0, "in a task")),
        (
            ExceptionGroup("g", [AssertionError("a"), KeyError("b")]),
            Outcome(None, failure="ExceptionGroup: g (2 sub-exceptions)"),
        ),
    ],
)
def test_an_exception_is_a_zero_an_error_or_a_failure(error, outcome):
    assert measure(raising(error)) == outcome


def test_pytests_own_outcomes():
    assert measure(lambda: pytest.fail("no fact")) == Outcome(0.0, "no fact")
    assert measure(lambda: pytest.skip("not here")) == Outcome(None, skipped="not here")
    assert measure(lambda: pytest.xfail("known")) == Outcome(None, skipped="xfail: known")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), pytest.exit.Exception("stop")])
def test_ctrl_c_and_exit_stop(error):
    with pytest.raises(type(error)):
        measure(raising(error))


def test_a_coroutine_is_awaited():
    async def test() -> float:
        return 0.5

    assert measure(test).score == 0.5


def test_a_swallowed_error_of_the_world_is_an_error():
    trace = Trace()

    def swallowing() -> float:
        trace.remember(EndpointError("down"))
        return 1.0

    with use(CallContext(ScriptedClient([]), trace=trace)):
        assert measure(swallowing) == Outcome(None, error="down")


def test_the_mean_of_the_samples():
    samples = [Outcome(1.0), Outcome(0.0, "wrong"), Outcome(0.5, "so so")]
    assert mean_outcome(samples) == Outcome(0.5, "wrong")
    assert mean_outcome([*samples, Outcome(None, skipped="x")]).skipped == "x"
    broken = Outcome(None, error="down")
    assert mean_outcome([*samples, Outcome(None, skipped="x"), broken]) == broken


def test_a_mean_of_tenths_reaches_its_own_value():
    assert case_status(mean_outcome([Outcome(0.1)] * 3), 0.1) == "passed"


def test_feedback_is_bounded_and_keeps_head_and_tail():
    text = canonical("a" * 5000 + "end")
    assert len(text) == MAX_CHARS
    assert text.startswith("aaa")
    assert text.endswith("end")
    assert f"{5003 - MAX_CHARS} characters left out" in text


def test_feedback_has_no_addresses_and_no_colours():
    assert (
        canonical("<Foo object at 0x7f00deadbeef> is \x1b[31mred\x1b[0m") == "<Foo object> is red"
    )


def test_a_number_in_hexadecimal_stays():
    assert canonical("got 0xff, wanted 0xfe") == "got 0xff, wanted 0xfe"


def test_sets_are_sorted_also_inside_texts():
    assert canonical("missing {'b', 'a', 'c'} of {'x': 1}") == "missing {'a', 'b', 'c'} of {'x': 1}"
    assert canonical_repr([{"b", "a"}, frozenset({2, 1})]) == "[{'a', 'b'}, frozenset({1, 2})]"
    assert canonical_repr((set(), frozenset(), (1,), {"k": {"z", "y"}})) == (
        "(set(), frozenset(), (1,), {'k': {'y', 'z'}})"
    )


def test_a_broken_repr_breaks_nothing():
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert canonical_repr([Broken()]) == "[<Broken whose repr raises RuntimeError>]"


FAILING = '''
class Thing:
    """Its repr holds an address."""

def helper(value): return value

@pytest.mark.mipro(threshold=0.0)
@pytest.mark.parametrize("index", range(8))
def test_echo(index):
    words = {"delta", "alpha", "charlie", "bravo"}
    if index == 0: assert echo(text="bug") == "billing", "wrong queue"
    if index == 1: assert echo(text="x" * 900 + "y") == "z" * 900
    if index == 2: assert helper(list(range(100))) == list(range(1, 101))
    if index == 3: assert words == {"alpha"}
    if index == 4: assert not Thing()
    if index == 5: assert helper("a long text, " * 60) == helper("another text")
    if index == 6: assert "needle" in "line of hay\\n" * 40
    if index == 7: assert helper("the reply " * 60).startswith("needle"), f"none of {words}"
'''


def feedback_of(pytester: pytest.Pytester, *args: str) -> list[str]:
    result = pytester.runpytest_subprocess(*args)
    assert result.ret == 0, result.stdout.str()
    return json.loads((pytester.path / "feedback.json").read_text())


def test_feedback_is_the_same_whatever_the_terminal_says(pytester, desk, monkeypatch):
    desk(FAILING)
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
import json
said = []
def pytest_runtest_logreport(report):
    if '"plan"' in getattr(report, "mipro", ""):
        said.append(json.loads(report.mipro)["case"]["result"]["outcome"]["feedback"])
def pytest_sessionfinish():
    pathlib = __import__("pathlib")
    pathlib.Path("feedback.json").write_text(json.dumps(said))
""")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    plain = feedback_of(pytester)
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    verbose = feedback_of(pytester, "-vv")
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("COLUMNS", "40")
    assert plain == verbose == feedback_of(pytester, "-v", "--color=yes")
    assert plain[0] == "wrong queue\ngot 'bug', wanted 'billing'"
    assert plain[3] == "assert {'alpha', 'bravo', 'charlie', 'delta'} == {'alpha'}"
    assert "0x" not in plain[4]
    assert plain[7].startswith("none of {'alpha', 'bravo', 'charlie', 'delta'}\nassert False\n")
    assert all(len(text) <= MAX_CHARS for text in plain)


ENDS = """
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", ["fine", "also fine", {text!r}])
def test_echo(text):
    {body}
"""


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        ("assert echo(text=text) == text", "1 case had an error"),
        ("try: echo(text=text)\n    except Exception: pass", "1 case had an error"),
        ("try: echo(text=text)\n    except Exception: pytest.skip('later')", "1 case had an error"),
    ],
)
def test_an_error_of_the_world_is_never_a_score(pytester, desk, body, summary):
    desk(ENDS.format(text="down", body=body))
    result = pytester.runpytest()
    assert result.ret == 1
    assert result.parseoutcomes() == {"passed": 2, "failed": 1, "errors": 1}
    result.stdout.fnmatch_lines(
        [
            "*_ ERROR at call of test_echo?down? _*",
            "the endpoint is down",
            f"*INCOMPLETE: {summary}",
            "FAILED test_desk.py::test_echo - incomplete: 1 case had*",
            "ERROR test_desk.py::test_echo?down? - the endpoint is down",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_mipro/*")


def test_what_the_candidate_caused_scores_zero(pytester, desk):
    desk(ENDS.format(text="refused", body="assert echo(text=text) == text"))
    result = pytester.runpytest()
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 3, "missed": 1}


def test_an_unparsable_output_scores_zero_and_fails_where_judged_alone(pytester, desk):
    desk(ENDS.replace("(threshold=0.5)", "").format(text="", body="number(text='many')"))
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["E *OutputParseError: LM module 'pipeline.number': *"])
    result.stdout.no_fnmatch_line("*pytest_mipro/runtime*")
    result.stdout.no_fnmatch_line("*pytest_mipro/plugin*")


def test_any_other_exception_is_an_ordinary_failure(pytester, desk):
    desk(ENDS.format(text="odd", body="if text == 'odd': raise KeyError(text)"))
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": 2, "failed": 2}
    result.stdout.fnmatch_lines(["E * KeyError: 'odd'", "*INCOMPLETE: 1 case failed"])


@pytest.mark.parametrize("body", ["pytest.skip('not now')", "pytest.xfail('known')"])
def test_skipped_cases_are_left_out(pytester, desk, body):
    desk(ENDS.format(text="odd", body=f"if text == 'odd': {body}"))
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_echo  1.000 (*)  3 cases  1 skipped", "*passed: *"])


@pytest.mark.parametrize("how", ["skip(reason='x')", "xfail(reason='x')", "xfail(strict=False)"])
def test_marked_cases_are_left_out(pytester, desk, how):
    desk(f"""
@pytest.mark.mipro(threshold=1.0)
@pytest.mark.parametrize("text", ["a", pytest.param("b", marks=pytest.mark.{how})])
def test_echo(text): assert echo(text=text) == "a"
""")
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_echo  1.000 (*)  2 cases  1 skipped", "*passed: *"])


def test_an_xfail_whose_condition_is_false_counts(pytester, desk):
    desk("""
MARK = pytest.mark.xfail(False, reason="")

@pytest.mark.mipro(threshold=1.0)
@pytest.mark.parametrize("text", ["a", pytest.param("b", marks=MARK)])
def test_echo(text): assert echo(text=text) == "a"
""")
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": 1, "missed": 1, "failed": 1}


def test_all_skipped_is_incomplete(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=1.0)
@pytest.mark.parametrize("text", ["a", "b"])
def test_echo(text): pytest.skip("no")
""")
    result = pytester.runpytest()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["test_echo  2 cases  2 skipped", "*INCOMPLETE: no case was *"])


@pytest.mark.parametrize("mark", ["(threshold=0.1)", ""])
def test_nothing_returned_beside_scores_is_an_error(pytester, desk, mark):
    desk(f"""
@pytest.mark.mipro{mark}
@pytest.mark.parametrize("text", ["a", "b", "c"])
def test_echo(text):
    if text != "a": return 1.0
""")
    result = pytester.runpytest()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*INCOMPLETE: 1 case: the test returned nothing here and a score elsewhere*"]
    )


def test_an_assertion_beside_scores_is_a_zero(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", ["a", "b"])
def test_echo(text):
    assert text != "a"
    return 1.0
""")
    result = pytester.runpytest()
    assert result.ret == 0


def test_a_broken_score_is_an_error_in_one_line(pytester, desk):
    desk(ENDS.format(text="odd", body="return 2.0 if text == 'odd' else 1.0"))
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": 2, "errors": 1, "failed": 1}
    result.stdout.fnmatch_lines(["the score 2.0 is not in 0…1; scale it, higher is better"])


def test_a_low_score_fails_alone_without_a_traceback(pytester, desk):
    desk(ENDS.replace("(threshold=0.5)", "").format(text="odd", body="return Score(0.5, 'so so')"))
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"failed": 3}
    result.stdout.fnmatch_lines(["score 0.5 is below the pass score 1: so so"])
    result.stdout.no_fnmatch_line("*gate.py*")


def test_a_failing_fixture_makes_the_verdict_incomplete(pytester, desk):
    desk("""
@pytest.fixture
def broken(request):
    if "down" in request.node.name: echo(text="down")

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", ["a", "down"])
def test_echo(text, broken): pass
""")
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": 1, "errors": 1, "failed": 1}
    result.stdout.fnmatch_lines(
        ["the endpoint is down", "*INCOMPLETE: 1 case had an error", "ERROR *the endpoint is down"]
    )
    result.stdout.no_fnmatch_line("*pytest_mipro/*")


def test_repeats_are_samples_of_a_case(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5, repeats=4)
@pytest.mark.parametrize("text", ["sampled", "0"])
def test_echo(text): return echo(text=text) in ("0", "1", "2")
""")
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_echo  0.875 (*)  2 cases  1 missed*", "8 LM calls: *"])
    assert (pytester.path / "calls.txt").read_text() == "8"


def test_a_thread_without_the_cases_context_is_an_error(pytester, desk):
    desk("""
from concurrent.futures import ThreadPoolExecutor

@pytest.mark.mipro(threshold=0.0)
def test_thread():
    with ThreadPoolExecutor() as pool:
        try: pool.submit(lambda: echo(text="a")).result()
        except Exception: pass
""")
    result = pytester.runpytest()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["LM module 'pipeline.echo' was called in a thread without*copy_context*"]
    )


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            (
                "import unittest\n@pytest.mark.mipro\nclass TestDesk(unittest.TestCase):\n"
                "    def test_echo(self): pass"
            ),
            "*TestDesk::test_echo: @pytest.mark.mipro: a unittest.TestCase can't be measured; *",
        ),
        (
            "@pytest.mark.mipro\ndef test_parts(subtests): pass",
            "*::test_parts: @pytest.mark.mipro: `subtests` has no one score; parametrise*",
        ),
        (
            "@pytest.mark.mipro\nasync def test_stream():\n    yield 1",
            "*::test_stream: @pytest.mark.mipro: the test is a generator; *",
        ),
        (
            "@pytest.mark.mipro(treshold=0.5)\ndef test_echo(): pass",
            "*unknown argument 'treshold'; did you mean 'threshold'?",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(pytester, desk, source, line):
    desk(source)
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    lines = result.stdout.lines
    start = next(n for n, text in enumerate(lines) if "ERROR collecting test_desk.py" in text)
    end = next(n for n, text in enumerate(lines) if "short test summary" in text)
    assert end - start == 2, lines
    result.stdout.fnmatch_lines([line])


def test_items_that_are_no_functions_are_refused(pytester, desk):
    desk("def test_one(): pass")
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
class Item(pytest.Item):
    def runtest(self): pass

class File(pytest.File):
    def collect(self):
        item = Item.from_parent(self, name="line")
        item.add_marker(pytest.mark.mipro)
        return [item]

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".txt": return File.from_parent(parent, path=file_path)
""")
    (pytester.path / "notes.txt").write_text("x")
    result = pytester.runpytest("notes.txt")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["notes.txt::line: @pytest.mark.mipro: only test functions can be*"]
    )


def test_an_unknown_model_and_a_missing_one_are_errors_in_one_line(pytester, desk):
    desk("""
@pytest.mark.mipro
def test_echo(): echo(text="a")
""")
    pytester.makeini("[pytest]\npythonpath = .\n")
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"errors": 1}
    result.stdout.fnmatch_lines(["LM module 'pipeline.echo' has no model; set MIPRO_MODEL=*"])
    result.stdout.no_fnmatch_line("*settings.py*")


def test_a_broken_prompt_file_is_an_error_in_one_line(pytester, desk):
    desk("""
@pytest.mark.mipro
def test_echo(): echo(text="a")
""")
    folder = pytester.mkdir("prompts")
    (folder / "pipeline.echo.yaml").write_text("schema_version: 1\nmodul: x\n")
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"errors": 1}
    result.stdout.fnmatch_lines(["*pipeline.echo.yaml:2: unknown key 'modul'; known: *"])
    result.stdout.no_fnmatch_line("*prompt_file.py*")


def test_half_a_character_in_feedback_can_be_encoded():
    assert canonical("half \ud83d") == "half \\ud83d"
    assert measure(raising(AssertionError("\udfff"))).feedback.encode() == b"\\udfff"
