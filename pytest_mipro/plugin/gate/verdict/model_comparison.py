"""Compare the models that one test is gated with, on the same cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_mipro.optimizer.statistics.intervals import PairedLift, paired_lift
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.report_data import CallUsage, CaseResult


@dataclass(frozen=True)
class GatedModel:
    """A model's verdict on a test; `lift` is its paired difference from the first model's scores.

    It is None for the first model, and where the two scored no case in common.
    """

    verdict: Verdict
    lift: PairedLift | None

    @property
    def usage(self) -> CallUsage:
        """What one pass of the test took, with the calls of all its modules."""
        return sum((result.usage for result in self.verdict.results), CallUsage())


def by_test(verdicts: Iterable[Verdict]) -> dict[str, list[GatedModel]]:
    """Return the models of each test that ran with several, in the order of its mark."""
    tests: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.plan.model:
            tests.setdefault(verdict.plan.bare_name, []).append(verdict)
    found = {}
    for name, group in tests.items():
        first, *others = sorted(group, key=lambda each: each.plan.models.index(each.plan.model))
        if others:
            rest = [GatedModel(verdict, _lift(verdict, first)) for verdict in others]
            found[name] = [GatedModel(first, None), *rest]
    return found


def compared_on(models: Iterable[GatedModel]) -> str:
    """Return in words which cases a test's models are compared on: means may be of others."""
    scored = {
        frozenset(
            _parameters(result, each.verdict)
            for result in each.verdict.results
            if result.score is not None
        )
        for each in models
    }
    same = len(scored) == 1
    return "on the same cases" if same else "differences on the cases that both scored"


def _lift(verdict: Verdict, first: Verdict) -> PairedLift | None:
    known = {_parameters(result, first): result.score for result in first.results}
    after, before, common = {}, {}, []
    for result in verdict.results:
        other = known.get(_parameters(result, verdict))
        if result.score is not None and other is not None:
            after[result.id], before[result.id] = result.score, other
            common.append(result)
    return paired_lift(after, before, common) if common else None


def _parameters(result: CaseResult, verdict: Verdict) -> str:
    return result.id.removeprefix(verdict.plan.name)
