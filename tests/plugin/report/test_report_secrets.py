"""No key in any report: credentials of environment, ini file and endpoint, echoed by the model."""

from __future__ import annotations

import json

import pytest
from gate_project import TESTS, write_gate

SAID = """
def said(number):
    import json, pathlib
    return json.loads(pathlib.Path("said.bin").read_bytes()[::-1])[int(number[1:])]
"""
CANARIES = {
    "environment": "canary-environment-1234",
    "address": "canary-address-passw0rd",
    "query": "canary-query-value-77",
    "ini": "canary-ini-value-4321",
    "shape": "sk-canary0123456789abcdef",
    "hook": "canary-of-the-house",
}
HOOK = """
def pytest_addoption(parser): parser.addini("desk_api_key", "a key of the project's own")
def pytest_mipro_redact(config, text): return text.replace("canary-of-the-house", "[house]")
"""


@pytest.fixture
def leaky(pytester, monkeypatch):
    """A project whose tests say all canaries in their feedback."""
    address = f"https://user:{CANARIES['address']}@desk.invalid/v1?key={CANARIES['query']}"
    monkeypatch.setenv("DESK_API_KEY", CANARIES["environment"])
    tests = f"{SAID}\n{TESTS}".replace("== text.upper()", "== text.upper(), said(text)")
    ini = f"mipro_api_base = {address}\ndesk_api_key = {CANARIES['ini']}\n"
    write_gate(pytester, tests, ini=ini)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + HOOK)
    said = [*CANARIES.values(), f"see {address} for it", "\\u00e4" + CANARIES["ini"]]
    (pytester.path / "said.bin").write_bytes(json.dumps(said).encode()[::-1])
    rows = [{"id": f"w{n}", "text": f"w{n}"} for n in range(len(said))]
    (pytester.path / "words.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return pytester


def test_no_canary_in_any_report(leaky, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(leaky.path / "summary.md"))
    reports = ("--mipro-json=out.json", "--mipro-markdown=out.md", "--mipro-report")
    result = leaky.runpytest(*reports)
    result.stdout.no_fnmatch_line("*Warning*")
    result.stderr.no_fnmatch_line("*Warning*")
    texts = {name: (leaky.path / name).read_text() for name in ("out.json", "out.md", "summary.md")}
    (page,) = (leaky.path / ".mipro" / "report").glob("*/gate.html")
    texts["page"] = page.read_text(encoding="utf-8")
    (line,) = [line for line in result.outlines if "credential" in line]
    assert line == "mipro: 8 credentials hidden, shown as [hidden]"
    for name, text in texts.items():
        assert "hidden" in text, name
        assert "house" in text, name
        plain = text.replace("&#46;", ".").replace("&#95;", "_").replace("&#58;", ":")
        for what, canary in CANARIES.items():
            assert canary not in plain, (name, what)
    assert len(json.loads(texts["out.json"])["studies"][0]["tests"][0]["cases"]) == 8


def test_no_canary_in_the_lock(leaky):
    leaky.runpytest("--mipro-update-lock")
    (lock,) = leaky.path.glob("*.mipro.json")
    assert not [what for what, canary in CANARIES.items() if canary in lock.read_text()]


def test_a_hook_that_fails_writes_no_report(leaky):
    conftest = leaky.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("return text.replace", "1 / 0; text.replace"))
    result = leaky.runpytest("--mipro-json=out.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*mipro: no report: pytest_mipro_redact of *ZeroDivisionError*"])
    assert not (leaky.path / "out.json").exists()
