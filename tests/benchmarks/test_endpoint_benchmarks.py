"""The benchmarks of live calls run at a small size, and their figures are measurements."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_mipro.plugin.hooks")
    return importlib.import_module(request.param)


@pytest.mark.parametrize("benchmark", ["rate_limit"], indirect=True)
def test_a_rate_limit_is_used_and_no_call_is_lost(benchmark, capsys):
    options = ["--calls", "60", "--per-second", "20", "--concurrency", "8", "--latency", "0.02"]
    assert benchmark.main(options) == 0
    printed = capsys.readouterr().out
    found = re.fullmatch(
        r"8 at once: (\d+\.\d) answered a second of 20 allowed \(\d+%\); "
        r"60 calls, (\d+) refused on the way, 0 lost\n",
        printed,
    )
    assert found, printed
    assert 0 < float(found[1]) <= 40  # twice the limit, as a busy machine bunches the answers
    assert int(found[2]) > 0


@pytest.mark.parametrize("benchmark", ["endpoint_busy"], indirect=True)
def test_endpoint_busy_prints_its_figures(benchmark, capsys):
    options = ["--point", "8x0.02", "--cases", "24", "--trials", "2", "--timeline"]
    assert benchmark.main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    found = re.match(r"8 x 0\.02 s: busy (\d\.\d\d) of \d+\.\d s; (\d+) calls, ", lines[0])
    assert found, lines
    assert 0 < float(found[1]) < 1
    assert int(found[2]) > 2 * 24
    told = {line.split()[0] for line in lines[1:-2]}
    assert {"baseline", "proposals", "search"} <= told
    assert re.fullmatch(r"  [0-9#]{100}", lines[-2])


@pytest.mark.parametrize("benchmark", ["endpoint_busy"], indirect=True)
def test_a_run_that_fails_is_no_measurement(benchmark, monkeypatch, tmp_path):
    broken = {**benchmark._FILES, "pipeline.py": "def triage(ticket, product): return 'bug'\n"}
    monkeypatch.setattr(benchmark, "_FILES", broken)
    options = benchmark.parsed(["--cases", "4"])
    with pytest.raises(RuntimeError, match="the optimisation was not measured"):
        benchmark.measure(benchmark.Point(4, 0.01), options, tmp_path)
