"""A live gate on many workers with one shared cache: how many calls reach the endpoint.

    python benchmarks/shared_cache.py [--workers N] [--cases N] [--distinct N] [--latency SECONDS]

Starts the simulated HTTP server, runs a gate of N cases that make `distinct` different requests on
N workers with an empty cache, then once more. Prints the requests, the calls that the server
counted, and the seconds that each run took.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mipro.simulated.serving.faults import Latency
from pytest_mipro.simulated.serving.server import serve

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\nmipro_model = "small"\npythonpath = ["."]\n'
    'asyncio_default_fixture_loop_scope = "function"\n'
    'filterwarnings = ["ignore::pytest.PytestConfigWarning"]\n',
    "pipeline.py": '''
from pytest_mipro import lm_module

@lm_module
def summarize(ticket: str) -> str:
    """Summarise the ticket in one sentence."""
''',
    "conftest.py": """
import asyncio, json, os, urllib.request
from pytest_mipro.runtime.client.contract import Reply

class Plain:
    async def complete(self, request):
        return await asyncio.to_thread(self.post, request)

    def post(self, request):
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        data = {"model": request.model, "messages": messages, "temperature": 0}
        asked = urllib.request.Request(
            os.environ["ENDPOINT"] + "/chat/completions",
            json.dumps(data).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return Reply(json.load(answer)["choices"][0]["message"]["content"])

    def endpoint(self, model):
        return ""

    async def aclose(self):
        pass

def pytest_mipro_client(config):
    return Plain()
""",
    "test_gate.py": """
import pytest
from pipeline import summarize

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("case", range(CASES))
def test_summary(case):
    assert summarize(ticket=f"Order {case % DISTINCT}: two invoices for one month.")
""",
}


def write_project(folder: Path, cases: int, distinct: int) -> None:
    """Make the project."""
    for name, text in _FILES.items():
        filled = text.replace("CASES", str(cases)).replace("DISTINCT", str(distinct))
        (folder / name).write_text(filled, encoding="utf-8")


def run(folder: Path, url: str, workers: int) -> tuple[float, str]:
    """Run the gate there; return the seconds it took and its line on LM calls."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"-n{workers}", "--dist=worksteal"],
        cwd=folder,
        env={**os.environ, "ENDPOINT": url, "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    calls = re.search(r"^\d.* LM calls: .*$", done.stdout, re.MULTILINE)
    if done.returncode or calls is None:
        raise RuntimeError(f"the gate was not measured: {done.stdout}{done.stderr}")
    return time.perf_counter() - started, calls.group()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures; 1 where a request was paid twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--cases", type=int, default=640)
    parser.add_argument("--distinct", type=int, default=160, help="different requests")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds of each call")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as name,
        serve(latency=Latency(options.latency)) as server,
    ):
        write_project(Path(name), options.cases, options.distinct)
        print(f"-n {options.workers}, {options.cases} cases, {options.distinct} requests")
        for which in ("empty cache", "again"):
            seconds, calls = run(Path(name), server.url, options.workers)
            paid = server.stats()["calls"]
            print(f"  {which:<11}  {seconds:6.1f} s  calls so far {paid}  {calls}", flush=True)
    return int(paid != options.distinct)


if __name__ == "__main__":
    sys.exit(main())
