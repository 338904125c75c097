"""The benchmark of the plugin's cost runs; an unmarked run imports hooks and options alone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWN = {
    "pytest_mipro",
    "pytest_mipro.plugin",
    "pytest_mipro.plugin.config",
    "pytest_mipro.plugin.hooks",
    "pytest_mipro.plugin.hookspecs",
    "pytest_mipro.plugin.config.option_checks",
    "pytest_mipro.plugin.config.options",
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


def test_an_unmarked_run_imports_hooks_and_options_alone(benchmark, tmp_path):
    benchmark.write_project(tmp_path)
    with_plugin = benchmark.imported(tmp_path)
    added = with_plugin - benchmark.imported(tmp_path, *benchmark.WITHOUT)
    assert {name for name in with_plugin if name.startswith("pytest_mipro")} == OWN
    assert {name.partition(".")[0] for name in added} == {"pytest_mipro"}


def test_the_benchmark_prints_its_figures(benchmark, capsys):
    assert benchmark.main(["--pairs", "2"]) == 0
    printed = capsys.readouterr().out
    assert "difference" in printed
    assert "ratio" in printed
    assert "pytest_mipro.plugin.hooks" in printed


def test_a_failed_run_is_no_measurement(benchmark, tmp_path):
    benchmark.write_project(tmp_path)
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    assert 0\n")
    with pytest.raises(benchmark.subprocess.CalledProcessError):
        benchmark.run(tmp_path)
