"""The example as its users run it: optimised, gated from the cache, and served over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_mipro.simulated.serving.faults import FaultPlan
from pytest_mipro.simulated.serving.server import serve

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[2] / "example_project"
ONE_STUDY = (
    *("--mipro-optimize", "--mipro-concurrency=16", "--mipro-trials=6"),
    *("-o", "mipro_min_holdout=20"),
)
QUICK = ("--mipro-trials=3", "-o", "mipro_minibatch_size=8")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example under version control, its cache and prompts not yet made."""
    return _copy(tmp_path / "example_project", tickets=130)


def _copy(target: Path, *, tickets: int) -> Path:
    shutil.copytree(EXAMPLE, target, ignore=shutil.ignore_patterns(".mipro", "__pycache__"))
    for written in (
        *target.glob("support_desk/prompts/*.yaml"),
        *target.glob("tests/*.mipro.json"),
    ):
        written.unlink()
    (target / ".git").mkdir()
    cases = target / "tests" / "tickets.jsonl"
    lines = cases.read_text(encoding="utf-8").splitlines(keepends=True)
    cases.write_text("".join(lines[:tickets]), encoding="utf-8")
    return target


def _served(target: Path, address: str) -> Path:
    """A copy whose model is behind HTTP, with the first of the two tests: half of the calls."""
    _copy(target, tickets=80)
    settings = target / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    served = f'mipro_model = "openai/simulated/small"\nmipro_api_base = "{address}"'
    settings.write_text(text.replace('mipro_model = "simulated/small"', served), encoding="utf-8")
    tests = target / "tests" / "test_support_desk.py"
    first, mark, _ = tests.read_text(encoding="utf-8").partition("@pytest.mark.mipro(threshold=0.3")
    assert mark
    tests.write_text(first, encoding="utf-8")
    return target


def _pytest(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_MODEL"))
    }
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the others cost more than the gate
    plugins = ("-p", "pytest_mipro.plugin.hooks", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *plugins, str(folder), *args]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done


def _files(folder: Path) -> dict[str, bytes]:
    written = (*folder.glob("support_desk/prompts/*.yaml"), *folder.glob("tests/*.mipro.json"))
    return {path.name: path.read_bytes() for path in written}


def _calls(folder: Path) -> int:
    lock = json.loads((folder / "tests/test_support_desk.mipro.json").read_text(encoding="utf-8"))
    return int(lock["logical_calls"])


def test_optimised_then_gated_from_the_cache(example: Path) -> None:
    before = _pytest(example, "-q")
    assert before.returncode == pytest.ExitCode.TESTS_FAILED, before.stdout

    done = _pytest(example, *ONE_STUDY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "decision    better: lift +" in done.stdout
    files = _files(example)
    said = done.stdout.partition("files       wrote")[2].partition("cost  ")[0]
    assert {Path(name.rstrip(",")).name for name in said.split()} == files.keys()
    assert len(files) > 1
    assert _calls(example) <= 3000

    # Neither the live client nor the optimiser is needed where the cache has every reply.
    probe = example / "conftest.py"
    probe.write_text(
        "import sys\n"
        "def pytest_unconfigure(config):\n"
        "    print('\\nLOADED', sorted({'litellm', 'optuna'} & set(sys.modules)))\n",
        encoding="utf-8",
    )
    gate = _pytest(example)
    assert gate.returncode == 0, gate.stdout
    assert "LOADED []" in gate.stdout
    assert "cached, 0 live" in gate.stdout
    probe.unlink()

    for name in files:
        place = "tests" if name.endswith(".json") else "support_desk/prompts"
        (example / place / name).unlink()
    shutil.copytree(example, example.with_name("again"))
    again = _pytest(example.with_name("again"), *ONE_STUDY, "-v")
    assert again.returncode == 0, again.stdout
    assert re.search(r"distinct LM calls of [\d,]+ asked for: [\d,]+ reused, 0 live", again.stdout)
    assert _files(example.with_name("again")) == files


def test_a_threshold_out_of_reach_fails_with_its_reason(tmp_path: Path) -> None:
    example = _copy(tmp_path / "example_project", tickets=20)
    test = example / "tests" / "test_support_desk.py"
    test.write_text(test.read_text(encoding="utf-8").replace("threshold=0.5", "threshold=0.99"))
    done = _pytest(example)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "is below the threshold 0.99 by" in done.stdout


@pytest.mark.usefixtures("litellm_imported")
def test_faults_of_the_endpoint_do_not_change_the_files(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through litellm, at concurrency 16: 5 % of the calls answered 429 or 500."""
    for name in [name for name in os.environ if name.endswith(("_KEY", "_MODEL"))]:
        monkeypatch.delenv(name)
    files = []
    plans = {"steady": FaultPlan(), "faulty": FaultPlan({"429": 0.03, "500": 0.02}, seed=1)}
    for name, plan in plans.items():
        with serve(faults=plan, retry_after=0.05) as server:
            folder = _served(pytester.path / name, server.url)
            done = pytester.runpytest(folder, *ONE_STUDY, *QUICK)
            assert done.ret == 0
            assert bool(server.stats()["faults"]) == bool(plan.rates)
        files.append(_files(folder))
    assert files[0]
    assert files[0] == files[1]
