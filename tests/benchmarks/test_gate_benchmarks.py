"""The benchmarks of the gate run at a small size, and their figures are measurements."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("xdist")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmark(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(
        request.param, ROOT / "benchmarks" / f"{request.param}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("benchmark", ["gate_speed"], indirect=True)
def test_gate_speed_prints_its_figures(benchmark, capsys):
    assert benchmark.main(["--cases", "3", "--pairs", "2", "--workers", "0"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("3 cases, one process, 2 pairs\n")
    for kind in ("elapsed", "processor"):
        assert re.search(rf"{kind} +empty \d+\.\d+  gate \d+\.\d+  above .* ms a case", printed)


@pytest.mark.parametrize("benchmark", ["gate_speed"], indirect=True)
def test_a_gate_that_fails_is_no_measurement(benchmark, tmp_path):
    benchmark.write_project(tmp_path, 2)
    (tmp_path / "pipeline.py").write_text("def triage(ticket, product): return 'bug'\n")
    with pytest.raises(RuntimeError, match=r"test_gate\.py was not measured"):
        benchmark.run(tmp_path, "test_gate.py")


@pytest.mark.parametrize("benchmark", ["shared_cache"], indirect=True)
def test_workers_pay_each_request_once(benchmark, monkeypatch, capsys):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_mipro.plugin.hooks -p xdist.plugin")
    options = ["--workers", "2", "--cases", "12", "--distinct", "4", "--latency", "0.3"]
    assert benchmark.main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "calls so far 4  12 LM calls: 8 cached, 4 live" in lines[1]
    assert "calls so far 4  12 LM calls: 12 cached, 0 live" in lines[2]
