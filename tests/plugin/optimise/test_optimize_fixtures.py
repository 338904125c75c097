"""Fixtures under `--mipro-optimize`: a case is called again after its own tear-down."""

import pytest
from optimize_project import (
    TESTS,
    live_calls,
    optimize,
    refused,
    run,
    write_project,
    write_with_fixture,
    written,
)

FUNCTION = "@pytest.fixture\ndef desk(): return 1"


def test_a_function_scoped_fixture_is_refused_by_name(pytester):
    write_with_fixture(pytester, FUNCTION)
    refused(
        pytester,
        "test_numbers.py::test_parity?0?: the function-scoped fixture 'desk' is gone *"
        '@pytest.mark.mipro(rerun_safe=?"desk"?)',
    )
    assert run(pytester).ret == 0  # the plain run takes it


@pytest.mark.parametrize("where", ["mark", "ini"])
def test_a_fixture_declared_safe_is_shared(pytester, where):
    write_with_fixture(pytester, FUNCTION, ini="mipro_rerun_safe = desk" if where == "ini" else "")
    if where == "mark":
        tests = pytester.path / "test_numbers.py"
        tests.write_text(
            tests.read_text().replace("threshold=0.1", 'threshold=0.1, rerun_safe=["desk"]')
        )
    result = optimize(pytester)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*one case at a time*")
    assert written(pytester)


def with_last_parameter(argument: str) -> str:
    last = f"pytest.param(39, marks=pytest.mark.mipro({argument}))"
    return TESTS.replace("range(40)", f"[*range(39), {last}]")


def test_a_fixture_declared_safe_by_one_parameter_is_so_for_its_case_alone(pytester):
    source = with_last_parameter('rerun_safe=["desk"]')
    source = source.replace("test_parity(number)", "test_parity(number, desk)")
    write_project(pytester, source, conftest=f"\nimport pytest\n{FUNCTION}\n")
    refused(
        pytester, "test_numbers.py::test_parity?0?: the function-scoped fixture 'desk' is gone *"
    )
    result = run(pytester, "--mipro-optimize", "-k", "39", "--mipro-diff")
    result.stderr.no_fnmatch_line("*'desk' is gone*")


def test_one_parameter_that_is_not_concurrent_makes_its_test_run_alone(pytester):
    write_project(pytester, with_last_parameter("concurrent=False"))
    result = optimize(pytester, "--mipro-diff")
    result.stdout.fnmatch_lines(["*test_parity: one case at a time*"])


def test_pytest_s_own_fixtures_need_no_word(pytester):
    write_with_fixture(
        pytester, "", takes="tmp_path, monkeypatch, caplog, capsys, request, tmp_path_factory"
    )
    result = optimize(pytester)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*one case at a time*")


def test_a_living_fixture_of_wider_scope_makes_cases_run_alone(pytester):
    fixture = """
import threading
@pytest.fixture(scope="session")
def desk():
    yield threading.Lock()
    open("closed.txt", "w").close()
"""
    write_with_fixture(pytester, fixture)
    tests = pytester.path / "test_numbers.py"
    alone = (
        "    import os, time\n"
        "    assert not os.path.exists('closed.txt')\n"
        "    assert desk.acquire(blocking=False), 'two at once'\n"
        "    time.sleep(0.001)\n"
        "    desk.release()\n"
        "    assert parity"
    )
    tests.write_text(tests.read_text().replace("    assert parity", alone))
    result = optimize(pytester)
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    assert "test_parity: one case at a time, as its cases share 'desk' (rerun_safe" in text
    assert "two at once" not in text
    assert written(pytester)
    assert (pytester.path / "closed.txt").exists()


def test_a_class_scoped_fixture_lives_where_the_class_holds_the_study(pytester):
    source = """
class TestParity:
    @pytest.fixture(scope="class")
    def desk(self): return []

    @pytest.mark.mipro(threshold=0.1)
    @pytest.mark.parametrize("number", range(40))
    def test_parity(self, number, desk):
        assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""
    write_project(pytester, source)
    result = optimize(pytester)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*TestParity::test_parity: one case at a time*"])
    assert written(pytester)


def test_a_class_scoped_fixture_is_dead_where_other_tests_follow(pytester):
    source = (
        """
class TestParity:
    @pytest.fixture(scope="class")
    def desk(self): return []

    @pytest.mark.mipro
    def test_one(self, desk): parity(number="1")
"""
        + TESTS
    )
    write_project(pytester, source)
    dead(pytester, "test_numbers.py::TestParity::test_one: the class-scoped fixture 'desk' was *")


def dead(pytester: pytest.Pytester, line: str) -> None:
    """Optimise, and plan it: the study is refused with a line before anything is paid."""
    stopped = f"{line}torn down before the study could run; *. Nothing is written for this study"
    for option in ("--mipro-dry-run", "-v"):
        result = optimize(pytester, option)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines([stopped, "FAILED *::optimize?*? - test_numbers.py::*"])
        result.stdout.no_fnmatch_line("*traceback*")
    assert live_calls(pytester) == 0
    assert written(pytester) == {}


def test_all_but_the_last_value_of_a_parametrised_module_fixture_are_dead(pytester):
    write_with_fixture(
        pytester, "@pytest.fixture(scope='module', params=[1, 2])\ndef desk(request): return 1"
    )
    dead(pytester, "test_numbers.py::test_parity?1-0?: the module-scoped fixture 'desk' was *")


def test_a_module_fixture_is_dead_once_another_file_ran(pytester):
    source = TESTS.replace("threshold=0.1", 'threshold=0.1, study="both"')
    source = source.replace("test_parity(number)", "test_parity(number, desk)")
    fixture = "@pytest.fixture(scope='module')\ndef desk(): return 1\n"
    write_project(pytester, source, test_second=source, conftest=f"\nimport pytest\n{fixture}")
    dead(pytester, "test_numbers.py::test_parity?0?: the module-scoped fixture 'desk' was *")


def test_a_dead_fixture_may_be_declared_safe(pytester):
    source = TESTS.replace("threshold=0.1", 'threshold=0.1, study="both", rerun_safe=["desk"]')
    source = source.replace("test_parity(number)", "test_parity(number, desk)")
    fixture = "@pytest.fixture(scope='module')\ndef desk(): return 1\n"
    write_project(pytester, source, test_second=source, conftest=f"\nimport pytest\n{fixture}")
    assert optimize(pytester).ret == 0


@pytest.mark.parametrize("body", ["return 1", "yield 1"])
@pytest.mark.parametrize("scope", ["function", "session"])
def test_async_fixtures_are_refused(pytester, body, scope):
    fixture = (
        "import pytest_asyncio\n"
        f"@pytest_asyncio.fixture(scope='{scope}', loop_scope='{scope}')\n"
        f"async def desk(): {body}"
    )
    write_with_fixture(pytester, fixture)
    refused(pytester, "test_numbers.py::test_parity?0?: the async fixture 'desk' can't serve *")


def test_an_autouse_fixture_counts(pytester):
    write_with_fixture(
        pytester, "@pytest.fixture(autouse=True)\ndef clean(): yield", takes="tmp_path"
    )
    refused(pytester, "*: the function-scoped fixture 'clean' is gone *")


def test_a_fixture_used_by_name_counts(pytester):
    write_with_fixture(pytester, FUNCTION, takes="tmp_path")
    tests = pytester.path / "test_numbers.py"
    tests.write_text(tests.read_text().replace("@pytest.mark.para", USES))
    refused(pytester, "*: the function-scoped fixture 'desk' is gone *")


USES = "@pytest.mark.usefixtures('desk')\n@pytest.mark.para"


def test_a_fixture_behind_a_fixture_counts(pytester):
    behind = "@pytest.fixture\ndef inner(): return 1\n@pytest.fixture\ndef desk(inner): return 1"
    write_with_fixture(pytester, behind, ini="mipro_rerun_safe = desk")
    refused(pytester, "*: the function-scoped fixture 'inner' is gone *")


def test_a_case_whose_set_up_fails_stops_the_study(pytester):
    write_with_fixture(
        pytester,
        "@pytest.fixture(scope='session')\ndef desk(): raise OSError('no desk')",
    )
    result = optimize(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["test_numbers.py::test_parity?0?: its set-up failed, so *"])
    assert live_calls(pytester) == 0


def test_cases_skipped_in_their_set_up_are_left_out(pytester):
    fixture = """
@pytest.fixture(scope="session")
def desk(): return 1

@pytest.fixture(autouse=True, scope="session")
def other(): return 1

def pytest_runtest_setup(item):
    if "[3]" in item.name:
        pytest.skip("not this one")
"""
    write_with_fixture(pytester, fixture)
    result = optimize(pytester)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["before * on 39 cases of 39 rows"])
    assert written(pytester)
