"""Learn how to ask for instructions on the worlds: the prior that learning to propose starts from.

    python -m benchmarks.comparison.plan_prior [--seeds N] [--effort medium] [--jobs N]

Runs the optimiser in this process as `quick` does, with all strategies, and learning switched on.
Prints, for each choice of a plan, its effect on the lift of an instruction with its deviation, from
the lessons of all runs: the table of `optimizer/proposing/proposal_plan.py`.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from benchmarks.comparison.quick import MODEL, Setup, lessons_of, settings_of
from benchmarks.comparison.worlds import WORLDS
from pytest_mipro.optimizer.proposing.proposal_plan import PlanPolicy, PlanSpace
from pytest_mipro.plugin.config.options import EFFORTS
from pytest_mipro.plugin.optimise.inputs.optimizer_inputs import BuiltIns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mipro.optimizer.proposing.proposal_plan import Lesson

_PARTS = ("learning", "history")


def taught(lessons: Iterable[Lesson], setup: Setup) -> PlanPolicy:
    """Return a policy that starts from nothing and has these lessons."""
    names = [item.name for item in BuiltIns().pytest_mipro_proposal_strategies()]
    plans = PlanSpace(names, (MODEL,), settings_of(setup, 0))
    return PlanPolicy(plans, learning=True, lessons=lessons, prior={})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison.plan_prior",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--world", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--effort", choices=EFFORTS, default="medium")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    setup = Setup(options.effort, "tpe", _PARTS, labels=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [
            pool.submit(lessons_of, world, seed, setup)
            for world in options.world
            for seed in range(options.seeds)
        ]
        lessons = [lesson for job in jobs for lesson in job.result()]
    print(f"{len(lessons)} lessons")
    for (name, choice), effect, error in taught(lessons, setup).effects():
        print(f"    ({name!r}, {choice!r}): {effect:+.3f},  # ± {error:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
