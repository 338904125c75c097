"""pytest-xdist: the controller judges whatever the distribution; a study runs in one process."""

from __future__ import annotations

import pytest

pytest.importorskip("xdist")


@pytest.fixture(autouse=True)
def _alone(pytester, monkeypatch):
    """Without the other plugins, which each worker would load."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_mipro.plugin.hooks -p xdist.plugin")


def test_the_verdict_does_not_depend_on_the_distribution(company):
    company.write(threshold=0.9)
    result = company.run("-n2", "--dist=loadscope")  # for "worksteal", see below
    assert result.ret == 1
    assert result.parseoutcomes() == {"passed": 5, "missed": 35, "failed": 1}
    result.stdout.fnmatch_lines(["*100%]*", "*FAILED: mean 0.12 is below the threshold 0.90*"])
    company.left_only_cases()
    assert not company.cached("lastfailed")


def test_a_failed_case_runs_alone_on_workers_too(company):
    company.write(body="if number == 7: raise RuntimeError('broken')")
    assert company.run().ret == 1
    assert company.cached("lastfailed") == {"test_numbers.py::test_parity[7]": True}
    result = company.run("-n1", "--lf")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 1}


@pytest.mark.parametrize("option", ["-n2", "-nauto"])
def test_a_study_is_refused(company, option):
    company.write()
    result = company.run(*company.optimizing, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *--mipro-optimize*"])


def test_workers_pay_each_request_once(company):
    company.write(threshold=0.0, body="number = number % 4", conftest=COUNTING)
    result = company.run("-n2", "--dist=worksteal")
    assert result.ret == 0
    assert (company.pytester.path / "asked.txt").read_text().count("<number>") == 4
    result.stdout.fnmatch_lines(["40 LM calls: 36 cached, 4 live; *"])


COUNTING = """

import asyncio

class Slow(Client):
    async def complete(self, request):
        with open("asked.txt", "a") as file:
            file.write(request.messages[-1].content)
        await asyncio.sleep(0.3)
        return await super().complete(request)

def pytest_mipro_client(config):
    return Slow(reply)
"""
