"""What each way to end means in the gate: verdicts, skips, repeats, errors."""

from __future__ import annotations

import pytest

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
    result.stdout.no_fnmatch_line("*entries are hidden*")


def test_a_low_score_fails_alone_without_a_traceback(pytester, desk):
    desk(ENDS.replace("(threshold=0.5)", "").format(text="odd", body="return Score(0.5, 'so so')"))
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"failed": 3}
    result.stdout.fnmatch_lines(["score 0.50 is below the pass score 1.00: so so"])
    result.stdout.no_fnmatch_line("*gate.py*")
    result.stdout.no_fnmatch_line("*entries are hidden*")


def test_a_score_just_below_the_pass_score_is_told_apart_from_it(pytester, desk):
    source = ENDS.replace("threshold=0.5", "pass_score=0.7")
    desk(source.format(text="odd", body="return 0.69999"))
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["score 0.69999 is below the pass score 0.70000"])


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


SHARING = """
@pytest.fixture
def log(): return []

class TestIt:
    def setup_method(self): self.made = True

    @pytest.mark.mipro(threshold=0.1, repeats={repeats}{safe})
    @pytest.mark.parametrize("text", ["a", "b"])
    def test_echo(self, text, log):
        log.append(echo(text=text))
        assert len(log) == 1
"""


@pytest.mark.parametrize(
    ("repeats", "safe", "told"), [(3, "", True), (3, ', rerun_safe=["log"]', False), (1, "", False)]
)
def test_a_fixture_that_samples_share_is_told(pytester, desk, repeats, safe, told):
    desk(SHARING.format(repeats=repeats, safe=safe))
    result = pytester.runpytest()
    assert result.ret == 0
    line = "*all samples of a case share 'log', made once for each case*"
    (result.stdout.fnmatch_lines if told else result.stdout.no_fnmatch_line)(
        [line] if told else line
    )


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
