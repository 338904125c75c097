"""pytest-cov: the pipeline's lines count, also those that a study's threads run."""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_cov")


def test_the_pipeline_is_covered(company, mode, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what is loaded is traced, too
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_mipro.plugin.hooks -p pytest_cov.plugin")
    company.write(
        pipeline="\n\ndef asked(number):\n    return parity(number=number)\n",
        body="from pipeline import asked",
        call="asked",
    )
    result = company.pytester.runpytest_subprocess(*mode, "--cov=pipeline")
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(mode)
    result.stdout.fnmatch_lines(["pipeline.py * 100%"])
