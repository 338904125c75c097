"""Plugins that give every test fixtures, most of which do nothing, as pytest-vcr and -django do."""

from __future__ import annotations

import pytest

PLUGIN = """
import pytest

@pytest.fixture(autouse=True)
def {name}():
    yield
"""
APP = "\n\nimport pytest\n\n@pytest.fixture(scope='session')\ndef app(): return 'app'\n"


@pytest.fixture
def plugin(pytester):
    """Give the function that stands in for a plugin, by one fixture of it."""

    def write(module: str, name: str) -> tuple[str, str]:
        pytester.makepyfile(**{module: PLUGIN.format(name=name)})
        pytester.syspathinsert()
        return "-p", module

    return write


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("inline_snapshot", "snapshot_check"),
        ("pytest_django", "_dj_autoclear_mailbox"),
        ("pytest_django", "_live_server_helper"),
        ("pytest_flask", "_push_request_context"),
        ("pytest_vcr", "_vcr_marker"),
    ],
)
def test_a_fixture_that_does_nothing_stops_no_study(company, plugin, module, name):
    company.write()
    result = company.run(*plugin(module, name), *company.optimizing, "--mipro-dry-run")
    assert result.ret == 0


@pytest.mark.parametrize(
    ("parts", "module", "name"),
    [
        ({"decorators": "@pytest.mark.vcr"}, "pytest_vcr", "_vcr_marker"),
        ({"decorators": "@pytest.mark.django_db"}, "pytest_django", "_django_db_marker"),
        ({"fixtures": ", app", "conftest": APP}, "pytest_flask", "_push_request_context"),
        ({"fixtures": ", db"}, "pytest_django", "db"),
    ],
)
def test_a_fixture_at_work_is_refused(company, plugin, parts, module, name):
    company.write(ini="markers =\n    vcr\n    django_db\n", **parts)
    result = company.run(*plugin(module, name), *company.optimizing, "--mipro-dry-run")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*the function-scoped fixture '{name}' is gone*"])
