"""Write the calls of each case to the terminal, in full (`--mipro-show`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.plugin.measuring.shown_calls import blocks_of, head_of


def write_calls(terminal: Any, verdicts: Iterable[Verdict]) -> None:
    """Write each case under its node id: how it ended, then its calls; `terminal` is pytest's."""
    for verdict in verdicts:
        for result in verdict.results:
            parameters = result.id.removeprefix(verdict.plan.name)
            terminal.write_sep("-", f"mipro: {verdict.plan.nodeid}{parameters}")
            for line in _head(result, verdict):
                terminal.write_line(line)
            if not result.shown:
                terminal.write_line("no LM call")
            for number, call in enumerate(result.shown, 1):
                terminal.write_line(f"\n{head_of(call, number, len(result.shown))}", bold=True)
                for title, text in blocks_of(call):
                    terminal.write_line(f"\n--- {title} ---", bold=True)
                    terminal.write_line(text)


def _head(result: CaseResult, verdict: Verdict) -> list[str]:
    """Return the score with that in the lock, and the feedback or the problem."""
    outcome = result.outcome
    score = "no score" if result.score is None else f"score {result.score:.4g}"
    locked = verdict.locked.get(result.id)
    lines = [score if locked is None else f"{score}; {locked:.4g} in the lock"]
    kinds = ("error", "failure", "skipped", "feedback")
    return [*lines, *(f"{k}: {text}" for k in kinds if (text := getattr(outcome, k)))]
