"""The rows of the reply cache on disk: JSON text alone, and none of another request."""

from __future__ import annotations

import json
import pickle
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from cached_calls import ask, request, rows

from pytest_mipro.runtime.cache import json_disk
from pytest_mipro.runtime.client.contract import ScriptedClient

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_are_json_text_inside_the_database(opened: Any, tmp_path: Path) -> None:
    ask(opened(ScriptedClient(["x" * 1_000_000])))
    with closing(rows(tmp_path / "cache")) as database:
        [(key, raw, mode, filename, value)] = database.execute(
            "SELECT key, raw, mode, filename, value FROM Cache"
        ).fetchall()
        assert database.execute(
            "SELECT value FROM Settings WHERE key = 'eviction_policy'"
        ).fetchone() == ("none",)
    assert (raw, mode, filename) == (1, 1, None)
    assert key == request().digest()
    assert set(json.loads(value)) == {"reply", "check"}  # a request may hold what is secret
    assert not list((tmp_path / "cache").rglob("*.val"))


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


@pytest.mark.parametrize(
    "kind",
    ["pickle", "pickle file", "text file", "number", "not json", "other mode", "file name"],
)
def test_crafted_rows_are_not_read(
    opened: Any, inner: ScriptedClient, tmp_path: Path, kind: str
) -> None:
    ask(opened(inner))
    trap = tmp_path / "sprung"
    victim = tmp_path / "victim"
    victim.write_bytes(pickle.dumps(Trap(str(trap))))
    with closing(rows(tmp_path / "cache")) as database:
        [(good,)] = database.execute("SELECT value FROM Cache").fetchall()
    crafted = {
        "other mode": (3, None, good),
        "file name": (1, "../victim", good),
        "pickle": (4, None, pickle.dumps(Trap(str(trap)))),
        "pickle file": (4, "../victim", None),
        "text file": (3, "../victim", None),
        "number": (1, None, 5),
        "not json": (1, None, "{"),
    }[kind]
    with closing(rows(tmp_path / "cache")) as database:
        database.execute("UPDATE Cache SET mode = ?, filename = ?, value = ?", crafted)
    client = opened(inner)
    assert client.lookup(request()) is None
    assert ask(client).cached is False
    assert ask(client).cached is True
    assert victim.exists()
    assert not trap.exists()


def test_keys_are_text_alone(tmp_path: Path) -> None:
    disk = json_disk.JSONTextDisk(str(tmp_path))
    for key in (b"x", 1, None, ("a",)):
        with pytest.raises(TypeError):
            disk.put(key)
    with pytest.raises(ValueError, match="plain text"):
        disk.get(pickle.dumps("x"), 0)


@pytest.mark.parametrize("change", ["reply", "check", "row"])
def test_row_that_does_not_fit_is_asked_anew(
    opened: Any, inner: ScriptedClient, tmp_path: Path, change: str
) -> None:
    ask(opened(inner))
    with closing(rows(tmp_path / "cache")) as database:
        [(text,)] = database.execute("SELECT value FROM Cache").fetchall()
        row = json.loads(text)
        if change == "reply":
            row["reply"]["text"] = "reply to hj"
        elif change == "check":
            row["check"] = "0" * 64
        else:
            row = [row]
        database.execute("UPDATE Cache SET value = ?", (json.dumps(row),))
    assert ask(opened(inner)).cached is False
    assert ask(opened(inner)).text == "reply to hi"
    assert len(inner.requests) == 2


@pytest.mark.parametrize(("text", "cached"), [("it is [hidden]", False), ("plain", True)])
def test_a_reply_that_an_earlier_release_changed_is_asked_anew(
    opened: Any, tmp_path: Path, text: str, cached: bool
) -> None:
    ask(opened(ScriptedClient([text])))
    assert ask(opened(ScriptedClient(["anew"]))).text == text  # a model may say so
    with closing(rows(tmp_path / "cache")) as database:
        [(value,)] = database.execute("SELECT value FROM Cache").fetchall()
        row = {"request": request().canonical_json(), **json.loads(value)}
        database.execute("UPDATE Cache SET value = ?", (json.dumps(row),))
    assert ask(opened(ScriptedClient(["anew"]))).text == (text if cached else "anew")
