"""The plan of a run, and its forecast, from the baseline."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pytest_mipro.optimizer.budget.cost_model import Expectation
from pytest_mipro.optimizer.budget.spending import grouped
from pytest_mipro.optimizer.measuring.disturbance import runs_alone
from pytest_mipro.optimizer.proposing.proposal_context import module_examples
from pytest_mipro.optimizer.proposing.proposer_models import MAX_PROMPT_CHARACTERS, proposal_limit
from pytest_mipro.optimizer.proposing.strategy import (
    Grounding,
    InstructionStrategy,
    ProposalContext,
)
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.run.forecast import (
    Forecast,
    Pass,
    Typical,
    forecast,
    stage_sizes,
    usual_growth,
)
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.statistics.decide import detectable_lift
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import texts_of
from pytest_mipro.optimizer.study.near_duplicates import near_duplicates
from pytest_mipro.runtime.client.contract import Message, Request, Usage

# The tokens of a reply to a request for an instruction, by experience.
_PROPOSAL_OUTPUT = 300


def plan_of(run: StudyRun, baseline: Baseline) -> Plan:
    """Return the exact plan of a run."""
    settings, split = run.settings, baseline.split
    tests = run.study.tests.values()
    calling = {item.case.test for item in baseline.evaluation.runs if item.calls}
    return Plan(
        study=baseline.study.name,
        modules=tuple(item.label for item in baseline.signatures),
        frozen=baseline.frozen,
        split=split,
        rounds=settings.rounds,
        trials=settings.trials,
        candidates=settings.candidates,
        minibatch=settings.batch_of(len(split.validation)),
        forecast=forecast_run(run, baseline),
        limits=settings.limits,
        max_seconds=settings.max_seconds,
        detectable=detectable_lift(split, settings.trials, run.services.holdout_uses + 1),
        one_at_a_time=tuple(sorted(test.name for test in tests if not test.concurrent)),
        disturbed=baseline.disturbed,
        near=near_duplicates(texts_of(baseline.evaluation.runs), split),
        silent=tuple(sorted({case.test for case in baseline.study.cases} - calling)),
    )


def forecast_run(run: StudyRun, baseline: Baseline) -> Forecast:
    """Return the forecast of the whole run, based on its baseline."""
    settings = run.settings
    sampled = baseline.search_sample > 0
    sizes = stage_sizes(settings, baseline.split, len(baseline.signatures), sampled=sampled)
    spent = grouped(run.accounting.spending.entries(), lambda entry: entry.model)
    longer = usual_growth(baseline.once, settings, baseline.sizes)
    runs = baseline.evaluation.runs
    calls = [call for item in runs for call in item.calls]
    waited = sum(call.latency for call in calls)
    typical = Typical(
        rows=len(baseline.expectation.calls),
        repeated=Pass(len(runs), _all_rows(baseline.expectation, longer)),
        once=Pass(len(baseline.study.cases), _all_rows(baseline.once, longer)),
        proposer=proposer_models(run, baseline)[0],
        proposal=proposal_amounts(run, baseline)[0],
        latency=waited / max(1, sum(call.requests for call in calls)),
    )
    found = forecast(typical, sizes, spent, settings.concurrency)
    more = {"baseline": runs_alone(run.study)}
    stages = (
        replace(stage, case_runs=stage.case_runs + more.get(stage.stage, 0))
        for stage in found.stages
    )
    return replace(found, stages=tuple(stages))


def _all_rows(expectation: Expectation, longer: Mapping[Path, int]) -> Mapping[str, Amount]:
    return expectation.by_model(expectation.calls, longer)


def proposer_models(run: StudyRun, baseline: Baseline) -> tuple[str, ...]:
    """Return the models that propose: by default the first module's."""
    first = baseline.models[baseline.signatures[0].prompt_path]
    return run.settings.proposer_models or (first,)


def proposal_amounts(run: StudyRun, baseline: Baseline) -> tuple[Amount, Amount]:
    """Return what a request to the dearest proposer model is expected to take, and at worst.

    It is as long as those that the strategies make of the baseline, without summaries.
    """
    cost_model = run.accounting.cost_model
    texts = sorted(_proposal_texts(run, baseline), key=len) or [""]
    middle, longest = texts[len(texts) // 2], Message("user", texts[-1])
    each = worst = Amount(1)
    for model in proposer_models(run, baseline):
        usage = Usage(baseline.sizes.tokens(model, middle), _PROPOSAL_OUTPUT)
        each = each.at_least(cost_model.amount(model, usage))
        request = Request(model, (longest,), {"max_tokens": proposal_limit()})
        worst = worst.at_least(cost_model.worst(request).known)
    return each, worst


def _proposal_texts(run: StudyRun, baseline: Baseline) -> Iterator[str]:
    train = set(baseline.split.train)
    runs = [item for item in baseline.evaluation.runs if item.case.row in train]
    for signature in baseline.signatures:
        prompt = baseline.committed[signature.prompt_path]
        context = ProposalContext(
            signature,
            prompt.instruction,
            Grounding("", ""),
            module_examples(runs, signature, baseline.study.tests),
            limit=MAX_PROMPT_CHARACTERS,
        )
        for strategy in run.strategies():
            if isinstance(strategy, InstructionStrategy):
                request = strategy.request(context, random.Random(0))  # noqa: S311 - a draw
                if request is not None:
                    yield "".join(message.content for message in request.messages)
