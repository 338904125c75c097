"""Beside pytest-recording and pytest-httpx: their fixtures serve every test, and stop no study."""

from __future__ import annotations

import json


def test_a_study_runs(company):
    company.write()
    assert company.run(*company.optimizing).ret == 0


def test_a_cassette_is_in_force_in_the_gate_and_refused_in_a_study(company):
    company.write(decorators="@pytest.mark.vcr")
    assert company.run().ret == 0
    result = company.run(*company.optimizing)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*the function-scoped fixture 'block_network' is gone*"])


def test_calls_are_recorded_and_checked_though_its_fixtures_serve_each_test(company):
    company.write()
    result = company.run("--mipro-replies=record")
    assert "not checked" not in result.stdout.str()
    lines = (company.pytester.path / "test_numbers.replies.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {"schema_version": 2}
