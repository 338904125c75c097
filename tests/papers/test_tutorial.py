"""docs/tutorial.md: each file is written, each command run, each line that is quoted is printed."""

from __future__ import annotations

import pytest
from pages import ROOT, play, steps

from pytest_mipro.simulated.serving.server import serve

TICKETS = ROOT / "example_project/tests/tickets.jsonl"


@pytest.mark.slow
def test_it_works_as_printed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    (pytester.path / "tests").mkdir()
    rows = TICKETS.read_text(encoding="utf-8").splitlines(keepends=True)[:200]
    (pytester.path / "tests/tickets.jsonl").write_text("".join(rows), encoding="utf-8")
    with serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert play(pytester, "tutorial.md") == 8
    assert (pytester.path / "tests/test_triage.replies.jsonl").exists()


def test_what_is_installed_by_hand_is_there() -> None:
    shell = "\n".join(block for _, kind, block in steps("tutorial.md") if kind == "sh")
    assert "head -n 200 ../pytest-mipro/example_project/tests/tickets.jsonl" in shell
    assert TICKETS.exists()
    options = (ROOT / "pytest_mipro/simulated/__main__.py").read_text(encoding="utf-8")
    assert '"--port"' in options
