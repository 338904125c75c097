"""What must never be recorded: a key that a reply echoes, and what hooks take out."""

from __future__ import annotations

import json

import pytest
from recorded_desk import (
    RECORD,
    REPLAY,
    WORKERS,
    asked,
    entries,
    file_of,
    forget_the_cache,
)

CANARY = "canary-key-0815"
ECHOES = ("{}", "{}[::-1]", "{}.upper()", "{}.encode().hex()", "{}[:12]")


@pytest.mark.parametrize(
    ("workers", "mode", "echo"),
    [
        *(("-n0", "auto", echo) for echo in ECHOES),
        ("-n0", "record", ECHOES[0]),
        ("-n1", "auto", ECHOES[0]),
    ],
)
def test_a_reply_that_echoes_a_key_is_an_error_and_kept_nowhere(
    pytester, recordable, monkeypatch, workers, mode, echo
):
    monkeypatch.setenv("DESK_API_KEY", CANARY)
    key = echo.format("os.environ['DESK_API_KEY']")
    recordable(
        "@pytest.mark.mipro\n@pytest.mark.parametrize('n', ['one', 'two'])\n"
        "def test_two(n): echo(text=n)",
        reply=f"text + {key} if text == 'two' else text",
    )
    result = pytester.runpytest(workers, f"--mipro-replies={mode}")
    assert result.ret == 1
    said = " ".join(result.stdout.str().split())
    assert "echoed a credential, that of DESK_API_KEY, in its reply" in said
    assert asked(pytester) == ["one", "two"]
    for path in pytester.path.rglob("*"):
        if path.is_file() and path.suffix not in {".ini", ".pyc", ".py"}:
            assert b"canary" not in path.read_bytes().lower(), path
    assert "canary" not in result.stdout.str().lower()
    pytester.runpytest(workers, f"--mipro-replies={mode}")
    assert asked(pytester) == ["two"]  # the good reply is kept, the other one is not


def test_a_key_that_the_cache_holds_is_not_recorded(pytester, recordable, monkeypatch):
    recordable("@pytest.mark.mipro\ndef test_it(): echo(text='one')", reply=f"text + {CANARY!r}")
    assert pytester.runpytest().ret == 0
    monkeypatch.setenv("DESK_API_KEY", CANARY)
    result = pytester.runpytest(RECORD)
    assert "echoed a credential" in result.stdout.str()
    assert not file_of(pytester).exists() or not entries(pytester)


def test_values_that_are_no_secrets_change_nothing(pytester, recordable, monkeypatch):
    for name, value in {
        "PGPASSWORD": "postgres",
        "SORT_KEY": "delivery",
        "OPENAI_API_KEY": "none",
        "PARTITION_KEY": "queue2-of-desk7",
    }.items():
        monkeypatch.setenv(name, value)
    texts = ["postgres", "delivery", "none", "queue2-of-desk7", "sk-proj-0123456789abcdef"]
    recordable(
        f"@pytest.mark.mipro(threshold=1.0)\n@pytest.mark.parametrize('n', {texts})\n"
        "def test_all(n): assert echo(text=n) == n"
    )
    assert pytester.runpytest("--mipro-json=out.json", RECORD).ret == 0
    assert sorted(str(entry["text"]) for entry in entries(pytester)) == sorted(texts)
    ids = {
        case["id"]
        for case in json.loads((pytester.path / "out.json").read_text())["studies"][0]["tests"][0][
            "cases"
        ]
    }
    assert {f"test_all[{text}]" for text in texts[:4]} <= ids
    forget_the_cache(pytester)
    assert pytester.runpytest(REPLAY).ret == 0


HOOK = """
def pytest_mipro_redact(config, text):
    return text.replace({old!r}, {new!r}) if config and {old!r} in text else None
"""


@WORKERS
def test_hooks_change_what_is_recorded_and_measured(pytester, recordable, workers):
    recordable(
        "@pytest.mark.mipro\ndef test_it(): assert echo(text='Ms Smith') == '[person] y x'",
        reply="text + ' z x'",
    )
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + HOOK.format(old="Ms Smith", new="[person]"))
    pytester.makepyfile(more=HOOK.format(old="[person] z", new="[person] y"))
    assert pytester.runpytest(workers, RECORD, "-p", "more").ret == 0
    assert [entry["text"] for entry in entries(pytester)] == ["[person] y x"]


@pytest.mark.parametrize(("body", "told"), [("return 7", "must return"), ("1/0", "raised Zero")])
def test_a_wrong_hook_is_told(pytester, recordable, body, told):
    recordable("@pytest.mark.mipro\ndef test_it(): echo(text='one')")
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + f"\ndef pytest_mipro_redact(text): {body}")
    result = pytester.runpytest(RECORD)
    assert result.ret == 1
    assert f"pytest_mipro_redact of {conftest} {told}" in " ".join(result.stdout.str().split())
    assert not file_of(pytester).exists() or not entries(pytester)
