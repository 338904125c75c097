"""The benchmark of the plugin's cost runs; an unmarked run imports hooks and options alone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OWN = {
    "pytest_mipro",
    "pytest_mipro.pages",
    "pytest_mipro.plugin",
    "pytest_mipro.plugin.config",
    "pytest_mipro.plugin.hooks",
    "pytest_mipro.plugin.hookspecs",
    "pytest_mipro.plugin.config.option_checks",
    "pytest_mipro.plugin.config.options",
    "pytest_mipro.plugin.config.setting",
}


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location(
        "plugin_overhead", ROOT / "benchmarks" / "plugin_overhead.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(autouse=True)
def _without_hypothesis(benchmark, monkeypatch):
    """Its summary takes a second a run."""
    ini = "[pytest]\naddopts = -p no:hypothesispytest\n"
    monkeypatch.setitem(benchmark._FILES, "pytest.ini", ini)


def test_it_prints_its_figures_and_hooks_and_options_as_all_that_is_imported(benchmark, capsys):
    assert benchmark.main(["--pairs", "2"]) == 0
    figures, imported = capsys.readouterr().out.split("imported only with it")
    assert "difference" in figures
    assert "ratio" in figures
    assert set(imported.split()) == OWN


def test_a_failed_run_is_no_measurement(benchmark, tmp_path):
    benchmark.write_project(tmp_path)
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    assert 0\n")
    with pytest.raises(benchmark.subprocess.CalledProcessError):
        benchmark.run(tmp_path)
