"""Reserve what the decision and the final pass need, before the search begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_mipro.optimizer.budget.budget import Reservation
from pytest_mipro.optimizer.budget.limits import shortage
from pytest_mipro.optimizer.run.baseline import Baseline, forecast_run
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.search.racing import first_heat
from pytest_mipro.optimizer.study.amount import Amount, total
from pytest_mipro.runtime.prompts.prompt import Prompt

# The decision gets this many times the time that the baseline needed for as many rows.
_TIME_FACTOR = 1.5


@dataclass(frozen=True)
class Reserve:
    """The reservations for decision and final pass.

    `deciding_rows` and `final_rows` are the rows whose calls are new to each of them.
    """

    run: StudyRun
    baseline: Baseline
    deciding_rows: Sequence[str]
    final_rows: Sequence[str]
    decision: Reservation
    final: Reservation

    def try_reserve(self, program: Mapping[Path, Prompt]) -> bool:
        """Reserve what a finalist with these prompts needs; False if that does not fit."""
        worst = self.baseline.worst
        parts = ((self.decision, self.deciding_rows), (self.final, self.final_rows))
        enough = all(part.grow(worst(rows, program)) for part, rows in parts)
        self.run.services.bill.keep(self.decision.amount + self.final.amount)
        return enough


def reserve_for_decision(run: StudyRun, baseline: Baseline) -> Reserve:
    """Reserve for decision and final pass, and keep time for them.

    Validation rows are measured before a finalist is chosen, unless on other samples. Raises
    LimitTooSmallError if the limits do not hold both; it also says what a search needs.
    """
    validation = set() if baseline.search_sample else set(baseline.split.validation)
    deciding = {case.row for case in baseline.deciding}
    deciding_rows = sorted(deciding - validation)
    final_rows = sorted(set(baseline.row_calls) - validation - deciding)
    decision, final = baseline.worst(deciding_rows), baseline.worst(final_rows)
    if (short := shortage(run.budget, decision + final)) is not None:
        raise short.error(
            "decision and final pass",
            f"; raise it to {short.enough()} or more, "
            f"and to about {short.enough(_first_trial(run, baseline))} for a first trial",
        )
    reserve = Reserve(
        run,
        baseline,
        deciding_rows,
        final_rows,
        run.reserve(decision, "the decision", stage="decision"),
        run.reserve(final, "the final pass", stage="final pass"),
    )
    run.services.bill.keep(reserve.decision.amount + reserve.final.amount)
    share = (len(deciding_rows) + len(final_rows)) / len(baseline.row_calls)
    # As long as the baseline takes if nothing is cached.
    calls = [call for item in baseline.evaluation.runs for call in item.calls]
    waited = sum(call.latency for call in calls) / run.settings.concurrency
    run.accounting.deadline.keep(_TIME_FACTOR * share * max(waited, baseline.seconds))
    return reserve


def _first_trial(run: StudyRun, baseline: Baseline) -> Amount:
    """Return the most that a first trial may take: with its leader, proposals and demos."""
    settings, worst, validation = run.settings, baseline.worst, baseline.split.validation
    size = settings.batch_of(len(validation))
    dearest_first = sorted(validation, key=lambda row: (-baseline.row_calls[row], row))
    batch = dearest_first[:size]
    heat, later = first_heat(batch, batch) if settings.has("racing") else (batch, ())
    trial = worst(heat) + (worst(later) if later else Amount())
    leader = worst(validation) if size < len(validation) else Amount()
    before = total(
        stage.expected
        for stage in forecast_run(run, baseline).stages
        if stage.stage in ("bootstrap", "proposals")
    )
    return trial + leader + before.times(1 / settings.rounds)
