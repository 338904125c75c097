"""A mark that a hook of a conftest adds after collection holds as one in the source does."""

from __future__ import annotations

import pytest
from gate_project import CONFTEST, TESTS, write_gate

MARK = "        item.add_marker(pytest.mark.mipro(threshold=0.9))\n"
HOOKS = {
    "modifyitems": f"def pytest_collection_modifyitems(items):\n    for item in items:\n{MARK}",
    "itemcollected": f"def pytest_itemcollected(item):\n    if True:\n{MARK}",
}
UNMARKED = TESTS.replace("@pytest.mark.mipro(threshold=0.1)\n", "")
EVERY_CASE_PASSES = UNMARKED.replace("assert say(text=text) == text.upper()", "return 0.5")


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("arguments", [(), ("--mipro-strict",), ("-n2",)])
def test_a_mark_of_a_hook_is_judged_without_one_in_the_source(pytester, hook, arguments):
    write_gate(pytester, EVERY_CASE_PASSES)
    pytester.makeconftest(f"{CONFTEST}\nimport pytest\n{HOOKS[hook]}")
    result = pytester.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*FAILED: mean 0.50 is below the threshold 0.90 by 0.40"])


def test_where_all_marked_tests_are_deselected_the_others_have_the_run_s_model(pytester):
    """As in a run without marked tests."""
    write_gate(
        pytester,
        TESTS + "\ndef test_model():\n    import pytest_mipro.runtime.settings as s\n"
        "    assert s.current_settings().fallback_model == 'test/fake'\n",
    )
    pytester.runpytest("-m", "not mipro").assert_outcomes(passed=1, deselected=6)


def test_what_can_not_be_measured_is_refused_where_a_hook_marks_it(pytester):
    source = "import unittest\nclass TestOld(unittest.TestCase):\n    def test_it(self): pass\n"
    write_gate(pytester, source)
    pytester.makeconftest(f"{CONFTEST}\nimport pytest\n{HOOKS['itemcollected']}")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *::TestOld::test_it: *a unittest.TestCase can't be meas*"])
