"""A project for the gate: one module that echoes its input, served by a scripted client."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from lm_stub import Stub, stub

PIPELINE = '''
from pytest_mipro import lm_module

@lm_module
def echo(text: str) -> str:
    """Repeat the text."""

@lm_module
def number(text: str) -> int:
    """Read the number."""

@lm_module
async def echo_later(text: str) -> str:
    """Repeat the text."""
'''

CLIENT = """
import pytest
from pytest_mipro.errors import EndpointError, RefusalError
from pytest_mipro.runtime.client.contract import ScriptedClient

def reply(request):
    text = request.messages[-1].content.removeprefix("<text>\\n").removesuffix("\\n</text>")
    if text == "down":
        raise EndpointError("the endpoint is down")
    if text == "refused":
        raise RefusalError("the filter refused the request")
    if text == "sampled":
        return str(request.sample)
    return text

def pytest_mipro_client(config):
    client = ScriptedClient(reply)
    config.add_cleanup(lambda: (config.rootpath / "calls.txt").write_text(str(len(client.requests)))
                       if client.requests else None)
    return client
"""

HEAD = """
import pytest
from pytest_mipro import Score
from pipeline import echo, echo_later, number
"""


@pytest.fixture
def desk(pytester: pytest.Pytester) -> Callable[..., None]:
    """Write a project whose test file `test_desk.py` holds the source given."""

    def write(source: str, **files: str) -> None:
        pytester.makeini("[pytest]\nmipro_model = test/echo\npythonpath = .\n")
        pytester.makeconftest(CLIENT)
        tests = {"test_desk": source, **files}
        pytester.makepyfile(pipeline=PIPELINE, **{n: HEAD + text for n, text in tests.items()})

    return write


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A loopback stub of an LM API for a pipeline's own client, its address in STUB."""
    with stub() as running:
        monkeypatch.setenv("STUB", running.url)
        yield running


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that holds each line of a dry run as it is."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True)
def _no_job_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs inside these tests are not what a CI's job summary is about."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
