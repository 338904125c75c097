"""Measure how often the decision accepts prompts that are no better, and which lifts it detects.

    python benchmarks/decision_error_rates.py [--runs N] [--seed N]

Draws rows with a known true score under the committed prompts and under candidates, chooses a
finalist as the search does (the best of several on validation rows), and lets the optimiser's own
code decide. Prints one Markdown table with a row per way of deciding and a column per true lift.
On holdout rows the choice costs nothing, but each finalist measured there is a look, and the level
is spent over the looks; on validation rows the level is corrected for the choice. Where
both decide, rows that chose among a few leaders, so corrected, are joined with the holdout.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from pytest_mipro.optimizer.statistics.decide import Evidence, decide
from pytest_mipro.optimizer.statistics.intervals import PairedLift, paired_lift

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

COMMITTED = 0.60
LIFTS = (0.0, 0.05, 0.10, 0.15, 0.20)
RARE = 0.06  # the share of rows in which a candidate of the rare world loses all
FACTS = 3  # that a graded score counts
# How much a row's difficulty scatters: one to four rows in ten change between two prompts.
FIRMNESS = 1.0


@dataclass(frozen=True)
class Setting:
    """How is decided: on how many rows, on which, and how often.

    A finalist is the best of `tried` candidates; `looks` finalists in turn are measured on a
    holdout, until one is accepted. So many `kept` validation rows, on which it was the best, help
    the holdout to decide.
    """

    rows: int
    tried: int
    holdout: bool
    looks: int = 1
    kept: int = 0

    def __str__(self) -> str:
        if not self.holdout:
            return f"{self.rows} validation, best of {self.tried}"
        if self.kept:
            return f"{self.rows} holdout + {self.kept} validation, best of {self.tried}"
        return f"{self.rows} holdout" + (f", {self.looks} looks" if self.looks > 1 else "")


SETTINGS = (
    *(Setting(rows, 20, holdout=True) for rows in (30, 50, 100, 200)),
    *(Setting(50, 20, holdout=True, looks=looks) for looks in (3, 10)),
    *(Setting(rows, tried, holdout=False) for rows in (15, 25, 50) for tried in (5, 20)),
    *(
        Setting(rows, tried, holdout=True, kept=rows // 2)
        for rows in (40, 80, 160)
        for tried in (1, 3)
    ),
)


@dataclass(frozen=True)
class Case:
    """A row with one test: what the statistics need to know of it."""

    id: str
    row: str
    test: str = "test"
    unit: str = ""


@dataclass(frozen=True)
class Draw:
    """Scores of one draw: of the committed prompts by row, and of the candidates by row."""

    committed: np.ndarray
    candidates: np.ndarray


def pass_fail(draw: np.random.Generator, rows: int, candidates: int, lift: float) -> Draw:
    """Return scores of 0 and 1; each row passes with its own probability, scaled by the lift."""
    chances = _chances(draw, rows)
    better = _lifted(chances, lift)
    return Draw(
        (draw.random(rows) < chances).astype(float),
        (draw.random((candidates, rows)) < better).astype(float),
    )


def graded(draw: np.random.Generator, rows: int, candidates: int, lift: float) -> Draw:
    """Return shares of three facts that a reply mentions."""
    chances = _chances(draw, rows)
    better = np.broadcast_to(_lifted(chances, lift), (candidates, rows))
    return Draw(draw.binomial(FACTS, chances) / FACTS, draw.binomial(FACTS, better) / FACTS)


def rare_loss(draw: np.random.Generator, rows: int, candidates: int, lift: float) -> Draw:
    """Return graded scores; a candidate gains a little in most rows and loses all in a few.

    The losses are so rare that few rows often show none: what a t interval takes for a sure gain.
    """
    committed = draw.uniform(COMMITTED - 0.1, COMMITTED + 0.1, rows)
    lost = draw.random((candidates, rows)) < RARE
    gain = (lift + RARE * COMMITTED) / (1 - RARE)
    scatter = draw.normal(0, 0.03, (candidates, rows))
    return Draw(committed, np.where(lost, 0.0, np.clip(committed + gain + scatter, 0, 1)))


WORLDS: Mapping[str, Callable[[np.random.Generator, int, int, float], Draw]] = {
    "pass/fail": pass_fail,
    "graded": graded,
    "graded, total loss in 6 % of the rows": rare_loss,
}


def accepted(draw: np.random.Generator, setting: Setting, world: str, lift: float) -> bool:
    """Return whether a finalist is accepted, where all candidates have this true lift.

    With a holdout it was chosen on other rows, which say nothing of these. Without one it is the
    best on the rows that decide: of equal candidates, the luckiest.
    """
    if setting.holdout:
        found = WORLDS[world](draw, setting.rows, setting.looks, lift)
        lifts = [_lift(found, place) for place in range(setting.looks)]
    else:
        lifts = [_luckiest(draw, setting, world, lift, setting.rows)]
    for look, measured in enumerate(lifts, start=1):
        tried = setting.tried
        kept = _luckiest(draw, setting, world, lift, setting.kept) if setting.kept else None
        evidence = Evidence(setting.holdout, tried=tried, look=look, kept=kept, leaders=tried)
        if decide(measured, evidence).accepted:
            return True
    return False


def _luckiest(
    draw: np.random.Generator, setting: Setting, world: str, lift: float, rows: int
) -> PairedLift:
    """Return the lift of the best of the tried candidates on the rows that choose it."""
    found = WORLDS[world](draw, rows, setting.tried, lift)
    return _lift(found, int(np.argmax(found.candidates.mean(axis=1))))


def _lift(found: Draw, place: int) -> PairedLift:
    cases = [Case(str(number), str(number)) for number in range(len(found.committed))]
    before = {case.id: score for case, score in zip(cases, found.committed.tolist(), strict=True)}
    scores = found.candidates[place].tolist()
    after = {case.id: score for case, score in zip(cases, scores, strict=True)}
    return paired_lift(after, before, cases)


def share(runs: int, setting: Setting, world: str, lift: float, seed: int = 0) -> float:
    """Return the share of runs in which the finalist is accepted; equal arguments, equal figure."""
    place = list(WORLDS).index(world)
    numbers = (seed, place, round(100 * lift), setting.rows, setting.tried, setting.looks)
    draw = np.random.default_rng([*numbers, int(setting.holdout) + setting.kept])
    return fmean(accepted(draw, setting, world, lift) for _ in range(runs))


def measure(
    runs: int, settings: Sequence[Setting] = SETTINGS, seed: int = 0
) -> dict[tuple[str, float], dict[Setting, float]]:
    """Return the shares of accepted finalists by world and true lift, then by way of deciding."""
    return {
        (world, lift): {setting: share(runs, setting, world, lift, seed) for setting in settings}
        for world in WORLDS
        for lift in LIFTS
    }


def table(shares: Mapping[tuple[str, float], Mapping[Setting, float]]) -> str:
    """Return the shares as a Markdown table: a way of deciding a line, a true lift a column."""
    lines = [
        f"| world | decided on | {' | '.join(_told(lift) for lift in LIFTS)} |",
        f"|---|---|{'---:|' * len(LIFTS)}",
    ]
    for world in WORLDS:
        for number, setting in enumerate(shares[world, LIFTS[0]]):
            cells = " | ".join(f"{100 * shares[world, lift][setting]:.1f} %" for lift in LIFTS)
            lines.append(f"| {'' if number else world} | {setting} | {cells} |")
    return "\n".join(lines)


def _told(lift: float) -> str:
    return f"+{lift:.2f}" if lift else "no lift"


def _chances(draw: np.random.Generator, rows: int) -> np.ndarray:
    """Return each row's own probability under the committed prompts, `COMMITTED` on average."""
    return draw.beta(2 * FIRMNESS * COMMITTED, 2 * FIRMNESS * (1 - COMMITTED), rows)


def _lifted(chances: np.ndarray, lift: float) -> np.ndarray:
    """Return the probabilities raised by `lift` on average: hard rows gain most."""
    return 1 - (1 - chances) * (1 - lift / (1 - COMMITTED))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=2000, help="runs of each figure")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error(f"--runs must be at least 1, got {options.runs}")
    print(table(measure(options.runs, seed=options.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
