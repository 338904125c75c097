"""Test methods and xunit set-ups under `--mipro-optimize` are fixtures of their scope."""

import pytest
from optimize_project import TESTS, optimize, refused, write_project, written

METHODS = """
class TestParity:
    made = 0

    def {set_up}(self{method}):
        self.seen = []
        open("set-up.txt", "a").close()

    def teardown_method(self):
        assert self.seen is not None

    @pytest.mark.mipro(threshold=0.1{safe})
    @pytest.mark.parametrize("number", range(40))
    def test_parity(self, number):
        assert not self.seen, "not a fresh instance"
        self.seen.append(number)
        assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""


def test_setup_method_counts_as_a_function_scoped_fixture(pytester):
    write_project(pytester, METHODS.format(set_up="setup_method", method="", safe=""))
    refused(pytester, "*::TestParity::test_parity?0?: the function-scoped fixture 'setup_method' *")


def test_setup_method_declared_safe_runs_for_each_fresh_instance(pytester):
    safe = ', rerun_safe=["setup_method"]'
    write_project(pytester, METHODS.format(set_up="setup_method", method=", method", safe=safe))
    result = optimize(pytester)
    assert result.ret == 0
    text = result.stdout.str()
    assert "not a fresh instance" not in text
    assert "one case at a time" not in text
    assert written(pytester)


def test_teardown_method_ends_every_call(pytester):
    safe = ', rerun_safe=["setup_method"]'
    source = METHODS.format(set_up="setup_method", method="", safe=safe)
    source = source.replace("assert self.seen is not None", "assert not self.seen")
    write_project(pytester, source)
    result = optimize(pytester)  # each tear-down fails behind a call, so each case scores 0
    result.stdout.fnmatch_lines(["before      0.000 *"])


def test_a_method_gets_a_fresh_instance_each_call(pytester):
    source = """
class TestParity:
    @pytest.mark.mipro(threshold=0.1)
    @pytest.mark.parametrize("number", range(40))
    def test_parity(self, number):
        if hasattr(self, "used"):
            raise RuntimeError("not a fresh instance")
        self.used = True
        assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""
    write_project(pytester, source)
    assert optimize(pytester).ret == 0
    assert written(pytester)


@pytest.mark.parametrize("kind", ["function", "class", "module"])
def test_other_xunit_set_ups_count_by_their_scope(pytester, kind):
    if kind == "class":
        source = METHODS.format(set_up="helper", method="", safe="").replace("teardown_m", "no")
        source = source.replace("self.seen", "[]").replace("    made = 0", CLASS_SET_UP)
        source = source.replace("[].append(number)", "pass").replace("[] = []", "pass")
    else:
        source = f"def setup_{kind}(): pass\n" + TESTS
    write_project(pytester, source)
    if kind == "function":
        refused(pytester, "*: the function-scoped fixture 'setup_function' is gone *")
        return
    result = optimize(pytester)
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    assert f"one case at a time, as its cases share 'setup_{kind}'" in text


CLASS_SET_UP = "    @classmethod\n    def setup_class(cls): pass"
