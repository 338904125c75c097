"""`cost`: what was billed on this machine, by day, study, model and stage.

It sums the journals in `.mipro/bills/`: the live calls of optimisations and of gates. Cached and
recorded replies cost nothing; a call that came to no end counts at the most that it may have taken.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_mipro.cli.output import say
from pytest_mipro.cli.repo.project import in_project
from pytest_mipro.optimizer.budget.spending import STAGES
from pytest_mipro.optimizer.study.amount import Amount, describe_amount
from pytest_mipro.plugin.config.cache_folder import mipro_folder
from pytest_mipro.plugin.replies.journal import GATE, Paid, lines_of, paid, study_in
from pytest_mipro.runtime.text.number_words import counted

_STAGES = ("", GATE, *STAGES)
_UNKNOWN = "(not told)"


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "cost", help="what was billed, by day, study, model and stage", description=__doc__
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:  # noqa: ARG001 - as all commands
    """Print the sums."""
    folder = in_project(mipro_folder) / "bills"
    bills = [
        (study, entry) for path in sorted(folder.glob("*.jsonl")) for study, entry in _of(path)
    ]
    if not bills:
        say(f"nothing was billed: {folder} has no live call")
        return 0
    groups: dict[str, Callable[[str, Paid], str]] = {
        "day (UTC)": lambda _, entry: entry.day,
        "study": lambda study, _: study,
        "model": lambda _, entry: entry.model,
        "stage": lambda _, entry: entry.stage,
    }
    for name, key in groups.items():
        sums = defaultdict[str, list[Amount]](list)
        for study, entry in bills:
            sums[key(study, entry)].append(entry.amount)
        order = sorted(sums, key=_place if name == "stage" else None)
        width = max(len(each or _UNKNOWN) for each in order)
        say(f"by {name}")
        for each in order:
            say(f"  {each or _UNKNOWN:<{width}}  {_words(sums[each])}")
    say(f"in all {_words([entry.amount for _, entry in bills])}")
    return 0


def _of(path: Path) -> Iterator[tuple[str, Paid]]:
    lines = lines_of(path)
    study = study_in(lines, path)
    yield from ((study, entry) for entry in paid(lines))


def _place(stage: str) -> tuple[int, str]:
    return (_STAGES.index(stage) if stage in _STAGES else len(_STAGES)), stage


def _words(amounts: list[Amount]) -> str:
    """Return the sum in words; calls without a known cost are counted beside it."""
    known = sum((amount.known for amount in amounts), Amount())
    unpriced = sum(amount.calls for amount in amounts if amount.nanodollars is None)
    note = f" (the cost of {counted(unpriced, 'call')} is unknown)" if unpriced else ""
    return f"{describe_amount(known)}{note}"
