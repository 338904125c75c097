"""--strict-markers, --strict-config and pytest's strict mode: the plugin declares what it uses."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("options", [("--strict-markers", "--strict-config", "-W", "error")])
def test_strict_options(company, mode, options):
    company.write()
    result = company.run(*mode, *options)
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(mode)


@pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="since pytest 9")
def test_strict_mode_in_the_native_table(company, mode):
    company.write()
    ini = company.pytester.path / "tox.ini"
    ini.unlink()
    company.pytester.makepyprojecttoml(NATIVE)
    result = company.run(*mode, "-W", "error")
    assert result.ret == 0, result.stdout.str()
    assert result.parseoutcomes() == company.outcomes(mode)


NATIVE = """
[tool.pytest]
strict = true
pythonpath = ["."]
mipro_model = "test/fake"
mipro_min_holdout = 5
mipro_candidates = 3
mipro_max_demos = 2
mipro_minibatch_size = 8
"""
