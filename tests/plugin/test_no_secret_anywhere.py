"""No key in anything that a run leaves, whatever the endpoint does with it in its errors.

Everything is searched: the terminal, reports, lock, recorded replies, and the bytes of the cache.
"""

from __future__ import annotations

import base64
import html
import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from scripted_server import Answer, ScriptedServer, completion, failure

from pytest_mipro.runtime.text.credentials import url_secrets
from pytest_mipro.runtime.text.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "canary/Key+7w&9Q~\"Zk41'tail"
USER, PASSWORD, QUERY = "canaryname", "wo/rd+Q8:55&x", "value?12=of/Query"
CREDENTIALS = f"{USER}:{PASSWORD}"
OTHER = "canary.of.another.service"
SECRETS = (KEY, CREDENTIALS, PASSWORD, QUERY, OTHER)
INPUTS = {"tox.ini", "conftest.py", "pipeline.py", "test_desk.py"}


def spelt(secret: str) -> Iterator[str]:
    """Yield what a careless endpoint may make of a secret."""
    percent = quote(secret, safe="")
    half = len(secret) // 2
    yield secret
    yield f"Bearer {secret}"
    yield f"Basic {base64.b64encode(secret.encode()).decode()}"
    yield f"token={base64.b64encode(f'x:{secret}'.encode()).decode()} is wrong"
    yield f"token={base64.urlsafe_b64encode(f'id:{secret};'.encode()).decode()} is wrong"
    yield percent
    yield re.sub("%..", lambda code: code[0].lower(), percent)
    yield json.dumps({"headers": {"key": secret}})
    yield json.dumps({"body": json.dumps({"key": secret})})
    yield repr(secret)
    yield html.escape(secret)
    yield f"https://{quote(secret, safe=':')}@host/v1?key={percent}&api-key={percent}"
    yield f"{secret[:8]}{'*' * 20}{secret[-4:]}"
    yield f"{secret[:6]}...{secret[-6:]}"
    yield f"it begins with {secret[: half + 4]}"
    yield f"it ends with {secret[-half - 4 :]}"
    yield secret[::-1]
    yield secret.upper()
    yield secret.encode().hex()
    yield "".join(f"%{byte:02X}" for byte in secret.encode())
    yield "".join(f"\\u{ord(character):04x}" for character in secret)
    yield "".join(f"&#{ord(character)};" for character in secret)
    yield base64.b64encode(base64.b64encode(f"x:{secret}".encode())).decode()


def traces(secret: str) -> set[bytes]:
    """Return what must not be found: ten characters of the secret in a row, plain or encoded."""
    texts = [secret, quote(secret, safe="")]
    texts += [base64.b64encode(b"x" * n + secret.encode()).decode()[4:-4] for n in range(3)]
    texts += [json.dumps(secret)[1:-1], html.escape(secret)]
    return {text[at : at + 10].encode() for text in texts for at in range(max(1, len(text) - 9))}


ECHOES = [echo for secret in SECRETS for echo in spelt(secret)]
SENT = ECHOES[::3]  # a call each: one of every kind
STATUSES = (400, 401, 403, 404, 422, 500)


@pytest.mark.parametrize("echo", ECHOES)
def test_no_echo_is_left_in_a_line(echo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SEARCH_TOKEN", OTHER)
    line = one_line(f"refused: {echo} (sent)", secrets=(*_of_address(),))
    assert not found(line.encode()), line
    assert line.startswith("refused: ")


def _of_address() -> Iterator[str]:
    return url_secrets(f"http://{quote(USER)}:{quote(PASSWORD, safe='')}@h/?key={quote(QUERY)}")


def found(data: bytes) -> set[bytes]:
    return {trace for secret in SECRETS for trace in traces(secret) if trace in data}


def said(content: str | None = "hello", **message: Any) -> Answer:
    found = json.loads(completion(content).body)
    found["choices"][0]["message"] |= message
    return Answer(body=json.dumps(found))


CALL = {"name": "search", "arguments": json.dumps({"key": KEY})}
SAID = [
    completion(f"I was called with {KEY} by {CREDENTIALS}"),
    completion("hello", model=f"served-{KEY}"),
    said(None, refusal=f"not with {KEY}"),
    completion(f"hello {PASSWORD[::-1]}"),
    completion(KEY.encode().hex()),
    # what follows is in no text that is measured or kept
    said(tool_calls=[{"id": KEY, "type": "function", "function": CALL}]),
    said(reasoning_content=f"my key is {KEY}"),
]
ECHOED = 5


def answer(body: dict[str, Any]) -> Answer:
    """Refuse, with an echo that the model's number chooses; or say it in a reply."""
    number = body["model"].removeprefix("m")
    if not number.isdigit():
        return SAID[int(number.removeprefix("said"))]
    status = STATUSES[int(number) % len(STATUSES)]
    return failure(status, f"Wrong key: {SENT[int(number)]}", retry_after="0")


TESTS = f"""
import os

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("number", [*range(0, {len(SENT)}, int(os.environ["STEP"])), "said0"])
def test_echo(number):
    reply = echo.using(model=f"openai/m{{number}}")(text="hello")
    print("it said", reply)
    assert reply == "hello", reply

@pytest.mark.mipro(threshold=0.0)
@pytest.mark.parametrize("number", range({len(SAID)}))
def test_reply(number):
    return Score(0.5, feedback=echo.using(model=f"openai/msaid{{number}}")(text=str(number)))
"""


@pytest.fixture
def left(
    litellm_imported: None, pytester: pytest.Pytester, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Return what runs the project with these options, and what it says."""
    server = ScriptedServer()
    server.script = answer
    with closing(server):
        address = server.base.replace(
            "http://", f"http://{quote(USER)}:{quote(PASSWORD, safe='')}@", 1
        )
        desk(TESTS)
        ini = pytester.path / "tox.ini"
        ini.write_text(
            ini.read_text().rstrip() + f"\nmipro_api_base = {address}?key={quote(QUERY)}\n"
        )
        (pytester.path / "conftest.py").write_text("")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("SEARCH_TOKEN", OTHER)
        monkeypatch.setenv("STEP", "1")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
        yield lambda *arguments: pytester.runpytest_inprocess(
            *("-vv", "-rA", "--showlocals", "--tb=long", "--junitxml=junit.xml"),
            *("--mipro-json=out.json", "--mipro-markdown=out.md", *arguments),
        )


def leaks(folder: Path, result: pytest.RunResult) -> dict[str, set[bytes]]:
    places = {"stdout": result.stdout.str().encode(), "stderr": result.stderr.str().encode()}
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in INPUTS and path.suffix != ".pyc":
            places[str(path.relative_to(folder))] = path.read_bytes()
    assert {"junit.xml", "out.json", "out.md", ".mipro/cache/cache.db"} <= set(places)
    return {place: traces for place, data in places.items() if (traces := found(data))}


def test_a_gate_that_records_leaves_no_key(pytester: pytest.Pytester, left: Any) -> None:
    result = left("--mipro-replies=record")
    assert result.ret == 1
    assert len([line for line in result.outlines if "hidden" in line]) >= len(SENT)
    assert leaks(pytester.path, result) == {}
    report = json.loads((pytester.path / "out.json").read_text())
    (replies,) = [test for test in report["studies"][0]["tests"] if test["name"] == "test_reply"]
    assert ["echoed a credential" in (case["problem"] or "") for case in replies["cases"]] == [
        number < ECHOED for number in range(len(SAID))
    ]


def test_a_gate_with_workers_leaves_no_key(
    pytester: pytest.Pytester, left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xdist")
    monkeypatch.setenv("STEP", "7")  # each status once: what a worker tells passes one place
    result = left("-n", "1", "--mipro-update-lock")
    assert "hidden" in result.stdout.str()
    assert leaks(pytester.path, result) == {}


def test_an_optimisation_leaves_no_key(pytester: pytest.Pytester, left: Any) -> None:
    result = left("--mipro-optimize", "--mipro-trials=2")
    assert "hidden" in result.stdout.str()
    assert leaks(pytester.path, result) == {}
