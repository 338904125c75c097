"""A project for `--mipro-optimize`: one module that tells odd from even, served by a fake model.

The fake model is a pure function of the request: each number has a difficulty, and an instruction
that says "carefully" and demos raise the model's skill, by so much that every search finds it.
Asked for an instruction, it writes such a one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PIPELINE = '''
from typing import Literal
from pytest_mipro import lm_module

@lm_module
def parity(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""
'''

CONFTEST = '''
import hashlib
import os
import pathlib

from pytest_mipro.errors import EndpointError
from pytest_mipro.runtime.client.contract import ScriptedClient

def skill(messages):
    demos = sum(message.role == "assistant" for message in messages)
    return 0.25 + 0.6 * ("carefully" in messages[0].content) + 0.05 * min(demos, 2)

def reply(request):
    wanted = request.messages[-1].content
    if not wanted.startswith("<number>"):  # a proposal, or grounding
        asked = "".join(message.content for message in request.messages) + str(request.sample)
        if "You describe" in request.messages[0].content:
            return "They are numbers."
        way = hashlib.sha256(asked.encode()).hexdigest()[:4]  # other requests, other instructions
        return f"Look carefully at the last digit, way {way}."
    number = wanted.split()[1]
    point = hashlib.sha256(number.encode()).digest()[0] / 256
    answers = ["even", "odd"]
    right = int(number) % 2
    return answers[right if point < skill(request.messages) else 1 - right]

class Client(ScriptedClient):
    """Dies for good after MIPRO_TEST_CALLS calls."""

    async def complete(self, request):
        limit = os.environ.get("MIPRO_TEST_CALLS")
        if limit is not None and len(self.requests) >= int(limit):
            raise EndpointError("the endpoint is gone; start it again")
        return await super().complete(request)

def pytest_mipro_client(config):
    client = Client(reply)
    def note():
        models = sorted({request.model for request in client.requests})
        text = f"{len(client.requests)} {' '.join(models)}".strip()
        pathlib.Path(config.rootpath, "calls.txt").write_text(text)
    config.add_cleanup(note)
    return client
'''

INI = """
[pytest]
pythonpath = .
mipro_model = test/fake
mipro_min_holdout = 5
mipro_candidates = 3
mipro_max_demos = 2
mipro_minibatch_size = 8
"""

HEAD = """
import pytest
from pytest_mipro import Score
from pipeline import parity
"""

PRICED = """
mipro_max_output_tokens = 2
mipro_max_demo_tokens = 60
mipro_prices =
    test/fake 100 1000
"""
PRICES = "mipro_max_demo_tokens = 60\nmipro_prices =\n    test/fake 100 1000\n    test/other 1 1\n"
TESTS = """
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""

PROMPT = "prompts/pipeline.parity.yaml"
LOCK = "test_numbers.mipro.json"
WRITTEN = (PROMPT, LOCK)


def write_project(
    pytester: pytest.Pytester,
    source: str = TESTS,
    *,
    ini: str = "",
    conftest: str = "",
    pipeline: str = "",
    **files: str,
) -> None:
    """Write the project; `source` is the body of `test_numbers.py`, `files` are further ones."""
    pytester.makefile(".ini", tox=INI + ini)
    pytester.makeconftest(CONFTEST + conftest)
    tests = {"test_numbers": source, **files}
    bodies = {name: HEAD + text for name, text in tests.items()}
    pytester.makepyfile(pipeline=PIPELINE + pipeline, **bodies)


def write_with_fixture(
    pytester: pytest.Pytester, fixture: str, *, takes: str = "desk", **more: str
) -> None:
    """Write the project with a fixture in its `conftest.py`, which the test takes."""
    source = TESTS.replace("test_parity(number)", f"test_parity(number, {takes})")
    write_project(pytester, source, conftest=f"\nimport pytest\n{fixture}\n", **more)


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run pytest in this process; no frame of the package may be shown."""
    result = pytester.runpytest_inprocess(*args)
    check_output(result)
    return result


def optimize(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run `pytest --mipro-optimize` with a small search."""
    return run(pytester, "--mipro-optimize", "--mipro-trials=4", *args)


def check_output(result: pytest.RunResult) -> None:
    """Refuse tracebacks that show the package's own frames."""
    shown = [line for line in (*result.outlines, *result.errlines) if _FRAME.search(line)]
    assert not shown, "\n".join(shown)


_FRAME = re.compile(r"pytest_mipro/\w+/\w+\.py|INTERNALERROR|Traceback")


def refused(pytester: pytest.Pytester, *lines: str) -> None:
    """Optimise: refused with these lines before anything is set up or paid."""
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {line}" for line in lines])
    assert len([line for line in result.errlines if line.strip()]) == 1
    assert live_calls(pytester) == 0
    assert not (pytester.path / ".mipro").exists()


def stopped(result: pytest.RunResult, line: str) -> None:
    """The study stopped with this line, in full and in the short summary."""
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([line, "FAILED *::optimize?*? - *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def live_calls(pytester: pytest.Pytester) -> int:
    """Return the live LM calls of the last run that had a client; 0 where it had none."""
    text = calls(pytester)
    return int(text.split()[0]) if text else 0


def calls(pytester: pytest.Pytester) -> str:
    """Return what the last run noted: live calls, and the models asked. It is forgotten here."""
    path = pytester.path / "calls.txt"
    if not path.exists():
        return ""
    text = path.read_text()
    path.unlink()
    return text


def written(pytester: pytest.Pytester) -> dict[str, bytes]:
    """Return the bytes of the files that an optimisation writes, those that are there."""
    paths = [pytester.path / name for name in WRITTEN]
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def remove_written(pytester: pytest.Pytester) -> None:
    """Go back to the start commit; the cache stays."""
    for name in WRITTEN:
        (pytester.path / name).unlink(missing_ok=True)


def private_files(folder: Path) -> set[str]:
    """Return all files under `.mipro`, none where there is no such folder."""
    private = folder / ".mipro"
    return {path.relative_to(private).as_posix() for path in private.rglob("*") if path.is_file()}
