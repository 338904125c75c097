"""A plugin that fails cases, as for a warning: nothing that it fails counts as measured."""

from __future__ import annotations

import pytest

FAILS = """

import pytest

@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and item.callspec.params["number"] == {number}:
        report.outcome, report.longrepr = "failed", "policy: it warned"
    return report
"""


@pytest.mark.parametrize("number", [3, 8], ids=["a missed case", "a passed case"])
def test_a_case_that_another_plugin_fails_is_broken(company, number):
    company.write(conftest=FAILS.format(number=number))
    result = company.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"*{number}  error  policy: it warned*", "*INCOMPLETE: 1 case failed"]
    )
