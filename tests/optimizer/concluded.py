"""A better and a worse program of the tests' small world, and the conclusion on a program."""

from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from optimizer_world import baseline_of, note, sort
from world_model import WorldClient

from pytest_mipro.optimizer.deciding.conclude import Conclusion, conclude
from pytest_mipro.optimizer.deciding.finalist import Finalist
from pytest_mipro.optimizer.run.baseline import hold_for_decision
from pytest_mipro.optimizer.study.case import Evaluation, Study, cases_of
from pytest_mipro.runtime.prompts.prompt import Prompt

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
BETTER = {
    NOTE: Prompt("Note the subject; keep the word."),
    SORT: Prompt("grass is green, lime is green, sea is blue, sky is blue."),
}
WORSE = {NOTE: BETTER[NOTE], SORT: Prompt("apple is blue, brick is blue.")}


def below_threshold(study: Study) -> Callable[[Evaluation, Any], set[str]]:
    """Return a judge like the plugin's, of thresholds alone: the tests whose mean is below."""

    def failing(evaluation: Evaluation, _: Any) -> set[str]:
        scores: dict[str, list[float]] = {}
        for item in evaluation.runs:
            scores.setdefault(item.case.test, []).append(item.outcome.score or 0.0)
        limits = {name: spec.threshold or 0.0 for name, spec in study.tests.items()}
        return {name for name, mine in scores.items() if fmean(mine) < limits[name] - 1e-9}

    return failing


def concluded(
    program: Mapping[Any, Prompt],
    study: Study | None = None,
    client: WorldClient | None = None,
    tried: int = 3,
    *,
    known: bool = False,
    unseen: tuple[str, ...] = (),
    **settings: Any,
) -> Conclusion:
    """Conclude on a program whose validation rows were measured before, as in a search.

    Only where they are `known`, its validation scores are handed on with it. `unseen` training rows
    decide, too.
    """
    services = settings.pop("services", {})
    if study:
        services = {"failing_tests": below_threshold(study), **services}
    with baseline_of(study, client, services=services, **settings) as (run, baseline):
        hold_for_decision(run, baseline)
        rows = baseline.split.validation
        part = run.ledger.part("a trial", baseline.worst(rows), stage="search")
        assert part is not None
        cases = cases_of(baseline.study, rows)
        measured = run.evaluator.start(program, cases, part, baseline.rules).result()
        kept = measured.scores() if known else {}
        return conclude(run, baseline, Finalist(program, tried, kept, unseen=unseen))
