"""The result of a study: its decision, the prompts to write, and the measurements behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_mipro.optimizer.budget.spending import SpendingEntry
from pytest_mipro.optimizer.proposing.proposal_plan import Lesson
from pytest_mipro.optimizer.run.events import Measured
from pytest_mipro.optimizer.statistics.decide import Decision
from pytest_mipro.optimizer.statistics.intervals import objective, objective_interval, test_means
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import Case, Evaluation
from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import Signature


@dataclass(frozen=True)
class StudyResult:
    """The result of one study.

    `study` is its name, `split` its rows by part, `signatures` are its modules; `models` holds the
    model of each module's first call, `committed` each committed prompt, by prompt path. `prompts`
    holds the finalist's prompts by path if they may be written, and `refused` if they may not;
    `reason` says why in one line, `decision` is the verdict (None if none was reached). `baseline`
    and `final` evaluate all cases under the committed prompts and under the finalist's; `before`
    and `after` are their scores, `deciding_before` and `deciding_after` those on the rows that
    decided (see `decided_on`), and `decided` are the finalist's runs of them.
    `holdout_uses` counts the finalists that this holdout has been used for. `finalist` is a digest
    of the finalist's prompts, "" if no candidate beat the baseline.

    `trials` counts the programs that had trials, `calls` the distinct LM requests of the whole run,
    `asked` all requests of programs and proposals, `live` the calls that an endpoint answered.
    `ended` says why the search ended before all trials, or went without new instructions ("" if it
    did neither), `cut_short` whether a limit did that. `spending` breaks the distinct ones down by
    stage, module and model; `billed` is the actual cost over all runs of the study, interrupted
    ones included. `lessons` are what was learnt about proposing, if learning is on.
    """

    study: str
    split: Split
    signatures: tuple[Signature, ...]
    models: Mapping[Path, str]
    committed: Mapping[Path, Prompt]
    prompts: Mapping[Path, Prompt]
    refused: Mapping[Path, Prompt]
    decision: Decision | None
    reason: str
    holdout_uses: int
    finalist: str
    baseline: Evaluation
    final: Evaluation | None
    before: Measured
    after: Measured | None
    deciding_before: Measured
    deciding_after: Measured | None
    trials: int
    calls: int
    asked: int
    live: int
    ended: str
    cut_short: bool = False
    lessons: tuple[Lesson, ...] = ()
    spending: tuple[SpendingEntry, ...] = ()
    billed: Amount = NOTHING
    decided: Evaluation | None = None

    @property
    def decided_on(self) -> str:
        """The part of the rows that decided."""
        if not self.split.confirmed:
            return "validation"
        more = self.deciding_before.rows > len(self.split.holdout)
        return "holdout and training" if more else "holdout"

    def models_of(self, signature: Signature) -> tuple[str, ...]:
        """Return the models that a module was called with, sorted: a mark may name several."""
        path = signature.prompt_path
        made = (call for run in self.baseline.runs for call in run.calls)
        found = {call.model for call in made if call.signature.prompt_path == path}
        first = self.models.get(path)
        return tuple(sorted(found | ({first} if first else set())))


def measured(scores: Mapping[str, float], cases: Sequence[Case]) -> Measured:
    """Return the objective, its interval and the test means of the scores on these cases."""
    mine = {case.id: scores[case.id] for case in cases}
    tests = {case.id: case.test for case in cases}
    return Measured(
        objective=objective(mine, tests),
        interval=objective_interval(mine, cases),
        tests=test_means(mine, tests),
        cases=len(cases),
        rows=len({case.row for case in cases}),
    )
