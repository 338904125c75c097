"""Repeated calls of one test: one that changes what it was given changes no later call."""

import pytest
from optimize_project import optimize, run, write_project, written

LEFT = """
import threading
@pytest.mark.mipro(threshold=0.1{mark})
@pytest.mark.parametrize("lock", [threading.Lock()], ids=["lock"])
@pytest.mark.parametrize("number,todo", [(n, ["a", "b", "c"]) for n in range(40)])
{test}
"""
FUNCTION = """
def test_parity(number, todo, lock):
    with lock:
        assert todo == ["a", "b", "c"]
    todo.clear()
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""
COROUTINE = FUNCTION.replace("def ", "async def ")
METHOD = """
class TestIt:
    def setup_method(self):
        self.todo = []

    @pytest.fixture(autouse=True)
    def desk(self, tmp_path):
        self.desk = tmp_path
        self.shared = self.todo

    def teardown_method(self):
        assert self.todo in ([], ["x"])  # captured, the first is never called
        self.todo.append("torn down")

{mark}
    {kind}def test_parity(self, number, todo):
        assert (todo, self.todo) == (["a", "b", "c"], [])
        assert self.desk.is_dir() and not hasattr(self, "late")
        todo.clear()
        self.todo.append("x")
        self.late = True
        assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""
MARKS = """    @pytest.mark.mipro(threshold=0.1{mark})
    @pytest.mark.parametrize("number,todo", [(n, ["a", "b", "c"]) for n in range(40)])"""


def source(kind: str, mark: str) -> str:
    if "method" in kind:
        marks = MARKS.format(mark=f', rerun_safe=["desk", "setup_method"]{mark}')
        return METHOD.format(mark=marks, kind="async " if "async" in kind else "")
    return LEFT.format(mark=mark, test=COROUTINE if "async" in kind else FUNCTION)


KINDS = ("function", "async function", "method", "async method")


@pytest.mark.parametrize("kind", KINDS)
def test_each_sample_of_a_case_gets_the_arguments_of_the_first(pytester, kind):
    write_project(pytester, source(kind, ""))
    once = run(pytester)
    write_project(pytester, source(kind, ", repeats=3"))
    thrice = run(pytester)
    assert once.ret == thrice.ret == 0
    for result in (once, thrice):
        result.stdout.fnmatch_lines(["*test_parity  0.125 *  40 cases  35 missed"])


@pytest.mark.parametrize("kind", KINDS)
def test_each_run_of_a_captured_case_gets_the_arguments_of_the_first(pytester, kind):
    write_project(pytester, source(kind, ""))
    result = optimize(pytester, "--mipro-trials=6")
    assert result.ret == 0
    assert written(pytester)


def test_a_recording_probes_with_the_arguments_of_the_first_call(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("todo", [["a", "b"]])
def test_echo(todo): assert echo(text=todo.pop()) == "b"
""")
    result = pytester.runpytest("--mipro-replies=record")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*not replayable*")


def test_a_sentinel_keeps_its_identity(pytester, desk):
    desk("""
MISSING = object()
@pytest.mark.mipro(threshold=1.0, repeats=2)
@pytest.mark.parametrize("value", [MISSING])
def test_echo(value):
    assert value is MISSING
    assert echo(text="a") == "a"
""")
    assert pytester.runpytest().ret == 0
