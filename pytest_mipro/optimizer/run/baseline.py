"""The measured baseline: what a program is expected to take, at worst and for its decision."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from pytest_mipro.optimizer.budget.cost_model import Sizes
from pytest_mipro.optimizer.budget.expectation import Expectation
from pytest_mipro.optimizer.budget.limits import shortage
from pytest_mipro.optimizer.measuring.disturbance import Disturbed
from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
from pytest_mipro.optimizer.run.forecast import DECISION_FACTOR, TIME_FACTOR
from pytest_mipro.optimizer.run.latency import mean_latency
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import Case, Evaluation, Study, cases_of
from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import Signature

# A program may make this many times the committed prompts' calls on the same rows, and a few more.
_CALLS_FACTOR = 1.5
_CALLS_EXTRA = 10
_COMMITTED: Mapping[Path, Prompt] = MappingProxyType({})


@dataclass(frozen=True)
class Baseline:
    """The measured baseline of a study. `study` holds the cases that were not skipped.

    `evaluation` holds the committed prompts' scores. `expectation` is of programs run with all
    repeats, `once` of one run of each case; `sizes` are those of its requests.
    `signatures` are the modules to optimise in order of
    their first call, `frozen` the names of the others; `models` and `committed` are each module's
    model and prompt by prompt path; `rules` apply to every later measurement.

    `search_sample` is the first sample index of the search: 0 if equal requests have one reply. If
    replies are sampled, it comes after the gate's own samples, so that the finalist's score does
    not rest on the replies it was chosen by. `seconds` is how long the baseline took. For the sake
    of `disturbed` tests all cases run one at a time.
    """

    study: Study
    split: Split
    evaluation: Evaluation
    expectation: Expectation
    once: Expectation
    sizes: Sizes
    signatures: tuple[Signature, ...]
    frozen: tuple[str, ...]
    models: Mapping[Path, str]
    committed: Mapping[Path, Prompt]
    rules: MeasuringRules
    search_sample: int = 0
    seconds: float = 0.0
    disturbed: tuple[Disturbed, ...] = ()

    @property
    def deciding(self) -> tuple[Case, ...]:
        """The cases that decide: of the holdout rows, or of validation rows if there are none."""
        return cases_of(self.study, self.split.holdout or self.split.validation)

    @property
    def deciding_rows(self) -> Sequence[str]:
        """The rows whose calls are new to the decision.

        Validation rows are measured before a finalist is chosen, unless on other samples.
        """
        validation = set() if self.search_sample else set(self.split.validation)
        return sorted({case.row for case in self.deciding} - validation)

    def final_rows(self, unseen: Sequence[str] = ()) -> Sequence[str]:
        """Return the rows whose calls are new to the final pass, if `unseen` rows decide, too."""
        known = {*unseen, *(case.row for case in self.deciding)}
        known |= set() if self.search_sample else set(self.split.validation)
        return sorted(set(self.expectation.calls) - known)

    def dearest(self, program: Mapping[Path, Prompt], teacher: str | None = None) -> Amount:
        """Return the highest worst case of a request under a program."""
        most = self.sizes.dearest
        return self.expectation.dearer(most, program, teacher)

    def worst(
        self,
        rows: Sequence[str],
        program: Mapping[Path, Prompt] = _COMMITTED,
        teacher: str | None = None,
    ) -> Amount:
        """Return the most that a program may take on these rows before it is dropped.

        Other prompts are the committed ones; a `teacher` may answer for its modules.
        """
        made = sum(call.requests for row in rows for call in self.expectation.calls[row])
        calls = int(_CALLS_FACTOR * made) + _CALLS_EXTRA
        return replace(self.dearest(program, teacher).times(calls), calls=calls)

    def expects(
        self,
        rows: Sequence[str],
        program: Mapping[Path, Prompt] = _COMMITTED,
        teacher: str | None = None,
    ) -> Amount:
        """Return what one run of the cases of these rows is expected to take.

        It holds a call in flight, which the last one is until its reply comes.
        """
        expected = self.once.of(rows, program, teacher)
        return expected + replace(self.dearest(program, teacher), calls=0) if rows else NOTHING

    def trial_expects(self, rows: Sequence[str], program: Mapping[Path, Prompt]) -> Amount:
        """Return what a trial of a program is expected to take, as `expects` does.

        What the committed prompts ask, too, is known from their baseline.
        """
        return self._with_last(self._beside_baseline(self.once, rows, program), program)

    def leader_expects(
        self, program: Mapping[Path, Prompt] = _COMMITTED, known: Collection[str] = ()
    ) -> Amount:
        """Return what a program's full evaluation is expected to take, as `trial_expects` does.

        That is all validation rows with all repeats, but for one run of the rows `known` by then.
        """
        rows = self.split.validation
        ran = [row for row in rows if row in known]
        fresh = self._beside_baseline(self.expectation, rows, program)
        fresh -= self._beside_baseline(self.once, ran, program)
        return self._with_last(fresh, program)

    def _beside_baseline(
        self, expectation: Expectation, rows: Sequence[str], program: Mapping[Path, Prompt]
    ) -> Amount:
        of = expectation.of if self.search_sample else expectation.beside_committed
        return of(rows, program)

    def _with_last(self, expected: Amount, program: Mapping[Path, Prompt]) -> Amount:
        """Return the amount with a call in flight, if there are calls."""
        last = replace(self.dearest(program), calls=0)
        return expected + last if expected.calls else NOTHING

    def _needs(self, rows: Sequence[str], program: Mapping[Path, Prompt]) -> Amount:
        expected = self.expectation.of(rows, program).times(DECISION_FACTOR)
        return expected + replace(self.dearest(program), calls=0) if rows else NOTHING

    def final_needs(
        self, program: Mapping[Path, Prompt] = _COMMITTED, unseen: Sequence[str] = ()
    ) -> Amount:
        """Return what the final pass needs, if `unseen` rows decide, too; with a margin."""
        return self._needs(self.final_rows(unseen), program)

    def decision_needs(self, program: Mapping[Path, Prompt] = _COMMITTED) -> Amount:
        """Return what decision and final pass need."""
        return self._needs(self.deciding_rows, program) + self.final_needs(program)


def hold_for_decision(run: StudyRun, baseline: Baseline) -> None:
    """Hold back what decision and final pass need, in money and time; in time, a leader's, too.

    Raises LimitTooSmallError if the limits do not hold it; it also says what a search needs.
    """
    needs, rows = baseline.decision_needs(), baseline.split.validation
    batch = run.settings.batch_of(len(rows))
    if not run.hold(needs):
        short = shortage(run.settings.limits, run.ledger.spent, needs)
        if short is None:
            raise ValueError(f"{needs} fit, and can't be held")
        first = rows[:batch]
        trial = baseline.trial_expects(first, {}) + baseline.leader_expects(known=first)
        raise short.error(
            "the decision with its final pass",
            f"; raise it to {short.enough()} or more, "
            f"and to about {short.enough(trial)} for a first trial",
        )
    keep_time(run, baseline, decision=True, leader=batch < len(rows))


def keep_time(run: StudyRun, baseline: Baseline, *, decision: bool, leader: bool = False) -> None:
    """Keep the time that the decision with its final pass, and a leader's evaluation, need."""
    rows = len(baseline.deciding_rows) + len(baseline.final_rows()) if decision else 0
    rows += len(baseline.split.validation) if leader else 0
    # As long as the baseline takes if nothing is cached.
    calls = [call for item in baseline.evaluation.runs for call in item.calls]
    asked = sum(call.requests for call in calls)
    waited = mean_latency(calls) * asked / run.settings.concurrency
    share = rows / len(baseline.expectation.calls)
    run.accounting.deadline.keep(TIME_FACTOR * share * max(waited, baseline.seconds))
