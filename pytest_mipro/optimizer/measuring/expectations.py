"""Expectations of every run, from the runs of the committed prompts.

A run that breaks them is no measurement: the study stops, and no score is drawn from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mipro.errors import InfrastructureError
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.runtime.calls.context import Teacher
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.text.number_words import counted

# With fewer runs of a test, a module that none of them reached may be chance.
_ENOUGH_RUNS = 5


class MeasurementError(InfrastructureError):
    """A case could not be measured; the study stops and nothing is written."""


@dataclass(frozen=True)
class Expectations:
    """What every run has to show; nothing before the baseline.

    `calls`: ids of the cases that call modules; `modules`: by test, the prompt paths of the modules
    that all its cases call; `returns`: the tests that return scores; `committed`: the prompts that
    showed all this.
    """

    calls: frozenset[str] = frozenset()
    modules: Mapping[str, frozenset[Path]] = field(default_factory=dict)
    returns: frozenset[str] = frozenset()
    committed: Mapping[Path, Prompt] = field(default_factory=dict)

    def check(
        self, runs: Sequence[CaseRun], prompts: Mapping[Path, Prompt], teacher: Teacher | None
    ) -> None:
        """Raise MeasurementError where a run broke for a reason that is not the candidate's.

        The runs were made under `prompts` (by prompt path). A `teacher` may lead past any module:
        its runs yield demos and are no measurement.
        """
        returns = self.returns | {run.case.test for run in runs if run.outcome.returned}
        for run in runs:
            if problem := self._problem(run, returns=run.case.test in returns):
                raise MeasurementError(f"{run.case.id}: {problem}")
        if teacher is None:
            self._check_modules(runs, prompts)

    def _problem(self, run: CaseRun, *, returns: bool) -> str:
        """Return why the run is no measurement, or ""; `returns`: its test scores cases."""
        outcome = run.outcome
        if outcome.error:
            return outcome.error
        if not run.calls and not outcome.skipped and run.case.id in self.calls:
            return f"no module call was seen where the committed prompts made one; {_REMEDY}"
        if returns and outcome.score == 1.0 and not outcome.returned:
            return (
                "the test returned nothing, but returns a score for other cases; return a score in "
                "every case"
            )
        return ""

    def _check_modules(self, runs: Sequence[CaseRun], prompts: Mapping[Path, Prompt]) -> None:
        """Refuse runs of which none calls a module that all cases called before.

        Its own prompt can't lead past it, but a new prompt of another module that was called may: a
        router that sends all cases elsewhere, or a first answer that leaves nothing to repair.
        """
        changed = {path for path, prompt in prompts.items() if self.committed.get(path) != prompt}
        sound: defaultdict[str, list[CaseRun]] = defaultdict(list)
        for run in runs:
            if not run.outcome.skipped and not any(call.error for call in run.calls):
                sound[run.case.test].append(run)
        for test, mine in sound.items():
            called = {call.signature.prompt_path for run in mine for call in run.calls}
            missing = self.modules.get(test, frozenset()) - called
            if missing and len(mine) >= _ENOUGH_RUNS and not changed & called:
                names = ", ".join(sorted(path.stem for path in missing))
                raise MeasurementError(
                    f"{test}: no case called the module {names}, which every case called under the "
                    f"committed prompts; {_REMEDY}"
                )


_REMEDY = (
    "a thread must be started with `contextvars.copy_context().run`, and results of earlier runs "
    "must not be kept by the pipeline"
)


def expectations_of(runs: Sequence[CaseRun], committed: Mapping[Path, Prompt]) -> Expectations:
    """Return the expectations that the baseline's runs, under `committed`, raise."""
    modules: dict[str, frozenset[Path]] = {}
    for run in runs:
        called = frozenset(call.signature.prompt_path for call in run.calls)
        modules[run.case.test] = modules.get(run.case.test, called) & called
    return Expectations(
        calls=frozenset(run.case.id for run in runs if run.calls),
        modules=modules,
        returns=frozenset(run.case.test for run in runs if run.outcome.returned),
        committed=committed,
    )


def refuse_broken_tests(runs: Iterable[CaseRun]) -> None:
    """Refuse a test that raises an exception in every case: no prompt can repair it.

    So are runs that all ended in an unreadable reply, also after a correction.
    """
    failures: dict[str, list[str]] = {}
    runs = tuple(runs)
    unreadable = [item.calls[-1].error for item in runs if item.calls and item.calls[-1].unreadable]
    if len(unreadable) == len(runs) >= _ENOUGH_RUNS:
        raise MeasurementError(
            f"all {counted(len(runs), 'case run')} ended in an unreadable reply, such as "
            f"{unreadable[0]}; is this the right model or endpoint?"
        )
    for item in runs:
        failures.setdefault(item.case.test, []).append(item.outcome.failure)
    for test, texts in failures.items():
        if all(texts):
            raise MeasurementError(
                f"{test}: each of its {counted(len(texts), 'case run')} raised an exception, such "
                f"as {texts[0]}; repair the test or the pipeline"
            )
