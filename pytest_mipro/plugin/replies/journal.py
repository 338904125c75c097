"""The journal of what a study's live calls took, one line each: what it says, and what it sums to.

A call has a line before it, with the most that it may take, and one behind it with what it took. A
new run of the study carries on what earlier ones paid as sums; so does a gate, which has no limits.
A call's number begins with its run, as runs may go on side by side, and a run that finished names
the runs that it ended. Journals of older releases name no day, no stage and no run.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_mipro.errors import CacheError
from pytest_mipro.optimizer.study.amount import Amount, total
from pytest_mipro.runtime.text.files import read_text

Line = Mapping[str, Any]
GATE = "gate"
"""The stage of calls of a plain run."""


@dataclass(frozen=True)
class Paid:
    """What the calls of one stage to one model took on one day (UTC); "" where it is not told."""

    day: str
    stage: str
    model: str
    amount: Amount


def today() -> str:
    """Return the date in UTC, by which providers bill."""
    return datetime.now(UTC).date().isoformat()


def lines_of(path: Path) -> list[Line]:
    """Return the journal's lines, without one that was cut off; raises CacheError."""
    try:
        texts = read_text(path, errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CacheError(f"{path}: the journal can't be read ({error.strerror})") from None
    lines = []
    for text in texts:
        with suppress(ValueError, RecursionError):
            lines.append(json.loads(text))
    return [line for line in lines if isinstance(line, dict)]


def last_summary(lines: Iterable[Line]) -> Line | None:
    """Return the summary of the last run that had all its trials, None if there is none.

    Where a limit cut all runs short, it is the last one's, with the baseline as its only stage:
    what the others took is no forecast.
    """
    found = [line if line.get("finished") else line.get("before") for line in lines]
    known = [line for line in reversed(found) if isinstance(line, dict)]
    summaries = [line for line in known if isinstance(line.get("stages", {}), dict)]
    whole = next((line for line in summaries if not line.get("cut_short")), None)
    short = next((line for line in summaries if "baseline" in line.get("stages", ())), None)
    if whole is not None or short is None:
        return whole
    return {**short, "stages": {"baseline": short["stages"]["baseline"]}}


def call_name(run: str, number: int) -> str:
    """Return the name of a run's call, which no other run's has."""
    return f"{run}-{number}"


def unfinished(lines: list[Line]) -> list[Line]:
    """Return the lines of the calls of runs that did not finish.

    A run that finished ends those before it that it names; one of an older release names none, and
    ends all.
    """
    rest: list[Line] = []
    for line in lines:
        if line.get("finished"):
            ended = _texts(line["runs"]) if "runs" in line else None
            rest = [one for one in rest if ended is not None and run_of(one) not in ended]
        elif run_of(line) is not None:
            rest.append(line)
    return rest


def run_of(line: Line) -> str | None:
    """Return the run of a call's line, "" where it is not told; None: it is of no call."""
    names = [line[name] for name in ("call", "took", "lost") if name in line]
    if not names:
        return None
    return names[0].partition("-")[0] if isinstance(names[0], str) else ""


def billed(lines: Iterable[Line]) -> Amount:
    """Return what calls took: unfinished ones their worst case as far as known, others as noted."""
    return total(amount.known if worst else amount for _, amount, worst in _charges(lines))


def paid(lines: Iterable[Line]) -> list[Paid]:
    """Return what all calls took, those of earlier runs too, summed by day, stage and model."""
    lines = list(lines)
    carried = (it for line in lines for it in _entries(line) if isinstance(it, dict))
    charges = [
        *((it, _amount(it)) for it in carried),
        *((line, amount) for line, amount, _ in _charges(lines)),
    ]
    return summed(_paid(*charge) for charge in charges)


def _paid(line: Line, amount: Amount) -> Paid:
    day, stage, model = (str(line.get(name, "")) for name in ("day", "stage", "model"))
    return Paid(day, stage, model, amount)


def summed(entries: Iterable[Paid]) -> list[Paid]:
    """Return the sums by day, stage and model.

    What has no known cost, or tells no tokens, is summed apart: no sum with it would have any.
    """
    sums: defaultdict[tuple[str, str, str, bool, bool], Amount] = defaultdict(Amount)
    for it in entries:
        untold = it.amount.nanodollars is None, it.amount.tokens is None
        sums[it.day, it.stage, it.model, *untold] += it.amount
    return [Paid(*key[:3], amount) for key, amount in sorted(sums.items())]


def carried(entries: Iterable[Paid]) -> list[Line]:
    """Return sums in the form that a journal keeps them in."""
    return [
        {"day": it.day, "stage": it.stage, "model": it.model, **asdict(it.amount)} for it in entries
    ]


def note_gate(path: Path, study: str, entries: Iterable[Paid]) -> None:
    """Add what a plain run's calls took; raises OSError where it can't be written."""
    line = json.dumps({"study": study, "paid": carried(summed(entries))})
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")


def study_in(lines: Iterable[Line], path: Path) -> str:
    """Return the name of the journal's study; what its file's name tells in an older one."""
    names = [str(line["study"]) for line in lines if line.get("study")]
    return names[-1] if names else path.stem.rpartition("-")[0]


def _entries(line: Line) -> list[Any]:
    entries = line.get("paid")
    return entries if isinstance(entries, list) else []


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _charges(lines: Iterable[Line]) -> Iterator[tuple[Line, Amount, bool]]:
    """Yield the line of the call of each charge, the charge, and whether it is a worst case."""
    begun: dict[Any, Line] = {}
    ended: dict[Any, Amount] = {}
    lost = []
    for line in lines:
        if "call" in line:
            begun[str(line["call"])] = line
        elif "lost" in line:
            lost.append(line)
        elif "took" in line:
            ended[str(line["took"])] = _amount(line)
    yield from ((begun.get(str(line["lost"]), line), _amount(line), True) for line in lost)
    yield from ((begun.get(number, {}), amount, False) for number, amount in ended.items())
    yield from (
        (line, _amount(line), True) for number, line in begun.items() if number not in ended
    )


def _amount(line: Line) -> Amount:
    calls, *others = (line.get(name) for name in ("calls", "tokens", "nanodollars"))
    known = (it if type(it) is int else None for it in others)
    return Amount(calls if type(calls) is int else 0, *known)
