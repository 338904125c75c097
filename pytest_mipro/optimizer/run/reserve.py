"""What is set aside for the decision and the final pass before the search begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.budget.limit_errors import LimitTooSmallError, shortage
from pytest_mipro.optimizer.run.baseline import forecast_of
from pytest_mipro.optimizer.search.racing import first_heat
from pytest_mipro.optimizer.study.amount import Amount, total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.budget.budget import Reservation
    from pytest_mipro.optimizer.run.baseline import Ground
    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.runtime.prompts.prompt import Prompt

# The decision is given this many times the time that the baseline needed for as many runs.
_TIME_FACTOR = 1.5


@dataclass(frozen=True)
class SetAside:
    """What the decision and the final pass may need, reserved before the search.

    `deciding` and `rest` are the rows that they ask anew.
    """

    run: StudyRun
    ground: Ground
    deciding: Sequence[str]
    rest: Sequence[str]
    decision: Reservation
    final: Reservation

    def affords(self, program: Mapping[Path, Prompt]) -> bool:
        """Set as much aside as a finalist of these prompts needs; False where that is too much.

        Longer prompts than the committed ones take more tokens, also when they are decided on.
        """
        worst = self.ground.baseline.worst
        parts = ((self.decision, self.deciding), (self.final, self.rest))
        enough = all(part.grow(worst(rows, program)) for part, rows in parts)
        self.run.services.bill.keep(self.decision.amount + self.final.amount)
        return enough


def set_aside(run: StudyRun, ground: Ground) -> SetAside:
    """Reserve for decision and final pass, and keep time for them.

    Validation rows are known when a finalist is chosen, unless it was chosen on other samples.
    Raises LimitTooSmallError where the limits do not hold both; it tells what a search needs, too.
    """
    validation = set() if ground.search_sample else set(ground.split.validation)
    deciding = {case.row for case in ground.deciding}
    asked = sorted(deciding - validation)
    rest = sorted(set(ground.baseline.row_calls) - validation - deciding)
    worst = ground.baseline.worst
    _refuse_too_little(run, ground, worst(asked) + worst(rest))
    aside = SetAside(
        run,
        ground,
        asked,
        rest,
        run.reserve(worst(asked), "the decision", stage="decision"),
        run.reserve(worst(rest), "the final pass", stage="final pass"),
    )
    run.services.bill.keep(aside.decision.amount + aside.final.amount)
    share = (len(asked) + len(rest)) / len(ground.baseline.row_calls)
    run.accounting.deadline.keep(_TIME_FACTOR * share * _seconds(run, ground))
    return aside


def _refuse_too_little(run: StudyRun, ground: Ground, needed: Amount) -> None:
    short = shortage(run.budget, needed)
    if short is not None:
        raise LimitTooSmallError(
            f"{short.describe('decision and final pass')}; raise it to {short.enough()} or more, "
            f"and to about {short.enough(_first_trial(run, ground))} for a first trial",
            short.limit,
        )


def _first_trial(run: StudyRun, ground: Ground) -> Amount:
    """Return what a first trial may need, on the dearest rows, with what leads up to it.

    A leader is measured on all validation rows; a round begins with proposals and demos.
    """
    settings, worst, validation = run.settings, ground.baseline.worst, ground.split.validation
    size = settings.batch_of(len(validation))
    calls = ground.baseline.row_calls
    batch = sorted(validation, key=lambda row: (-calls[row], row))[:size]
    heat, later = first_heat(batch, batch) if settings.has("racing") else (batch, ())
    trial = worst(heat) + (worst(later) if later else Amount())
    leader = worst(validation) if size < len(validation) else Amount()
    before = total(
        stage.expected
        for stage in forecast_of(run, ground).stages
        if stage.stage in ("bootstrap", "proposals")
    )
    return trial + leader + before.times(1 / settings.rounds)


def _seconds(run: StudyRun, ground: Ground) -> float:
    """Return how long the baseline takes where nothing is cached."""
    calls = [call for item in ground.baseline.evaluation.runs for call in item.calls]
    waited = sum(call.latency for call in calls) / run.settings.concurrency
    return max(waited, ground.seconds)
