"""The plan of a run, and its forecast, from the baseline."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

from pytest_mipro.optimizer.budget.expectation import Expectation
from pytest_mipro.optimizer.budget.prompt_parts import prompt_parts
from pytest_mipro.optimizer.budget.spending import grouped
from pytest_mipro.optimizer.measuring.disturbance import runs_alone
from pytest_mipro.optimizer.proposing.proposal_context import (
    dataset_summary,
    module_examples,
    program_summary,
)
from pytest_mipro.optimizer.proposing.proposer_models import MAX_PROMPT_CHARACTERS, proposal_limit
from pytest_mipro.optimizer.proposing.strategies import asked_in_turn
from pytest_mipro.optimizer.proposing.strategy import (
    Grounding,
    ProposalContext,
)
from pytest_mipro.optimizer.run.attempts import tests_to_attempt
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.run.forecast import (
    Demos,
    Forecast,
    Pass,
    Typical,
    demo_tokens,
    forecast,
    forecast_range,
    growth,
    usual_length,
)
from pytest_mipro.optimizer.run.label_faults import label_faults
from pytest_mipro.optimizer.run.latency import mean_latency
from pytest_mipro.optimizer.run.stage_sizes import stage_sizes
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.statistics.decide import detectable_lift
from pytest_mipro.optimizer.study.amount import Amount, total
from pytest_mipro.optimizer.study.case import CaseRun, cases_of, texts_of
from pytest_mipro.optimizer.study.near_duplicates import near_duplicates
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request, Usage
from pytest_mipro.runtime.signature.text_signature import TextSignature


def plan_of(run: StudyRun, baseline: Baseline) -> Plan:
    """Return the exact plan of a run."""
    settings, split = run.settings, baseline.split
    tests, look = run.study.tests.values(), run.services.holdout_uses + 1
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
        detectable=detectable_lift(split, settings.trials * len(baseline.signatures), look),
        look=look,
        one_at_a_time=tuple(sorted(test.name for test in tests if not test.concurrent)),
        disturbed=baseline.disturbed,
        near=near_duplicates(texts_of(baseline.evaluation.runs), split),
        label_faults=label_faults(tests, baseline.evaluation.runs),
        silent=tuple(sorted({case.test for case in baseline.study.cases} - calling)),
    )


def forecast_run(run: StudyRun, baseline: Baseline) -> Forecast:
    """Return the forecast of the whole run, based on its baseline."""
    settings, modules = run.settings, len(baseline.signatures)
    lending = _lending_rows(baseline)
    sampled, again = baseline.search_sample > 0, _attempted(run, baseline, lending)
    sizes = stage_sizes(settings, baseline.split, modules, sampled=sampled, failing=again)
    spent = grouped(run.accounting.spending.entries(), lambda entry: entry.model)
    typical = _typical(run, baseline)
    runs = baseline.evaluation.runs
    # A teacher answers for no other modules, and for no text of the pipeline's own client.
    own = {each.prompt_path for each in baseline.signatures if not isinstance(each, TextSignature)}

    def made(demos: Demos) -> Forecast:
        longer = _growth(run, baseline, lending, demos)
        repeated = Pass(len(runs), _all_rows(baseline.expectation, longer))
        once = Pass(len(baseline.study.cases), _all_rows(baseline.once, longer))
        later = {path: settings.later(more) for path, more in longer.items()}
        taught = baseline.once.by_model(baseline.once.calls, later, settings.teacher_model, own)
        shown = replace(typical, repeated=repeated, once=once, taught=taught)
        return forecast(shown, sizes, spent, settings.concurrency)

    found = forecast_range(made)
    more = {"baseline": runs_alone(run.study)}
    stages = (
        replace(stage, case_runs=stage.case_runs + more.get(stage.stage, 0))
        for stage in found.stages
    )
    return replace(found, stages=tuple(stages))


def _typical(run: StudyRun, baseline: Baseline) -> Typical:
    """Return what the forecast rests on, with the passes of the committed prompts."""
    runs, concurrency = baseline.evaluation.runs, run.settings.concurrency
    calls = [call for item in runs for call in item.calls]
    live = sum(call.latency for call in calls if not call.cached)
    own = max(0.0, baseline.seconds - live / concurrency)
    return Typical(
        rows=len(baseline.expectation.calls),
        repeated=Pass(len(runs), {}),
        once=Pass(len(baseline.study.cases), {}),
        proposals=_usual_proposals(run, baseline),
        grounding=_grounding(run, baseline),
        latency=mean_latency(calls),
        own=own / len(runs),
    )


def _lending_rows(baseline: Baseline) -> dict[Path, set[str]]:
    """Return the rows that each module has demos of, as far as the baseline tells."""
    runs, split, tests = baseline.evaluation.runs, baseline.split, baseline.study.tests
    rows = {*split.train, *split.validation}
    passing = rows - _failing_rows(baseline, runs)
    found: defaultdict[Path, set[str]] = defaultdict(set)
    for item in runs:
        for call in item.calls if item.case.demo and item.case.row in rows else ():
            label = tests[item.case.test].label_column(call.signature.name, item.case.columns)
            if call.shows_demos and (item.case.row in passing or label is not None):
                found[call.signature.prompt_path].add(item.case.row)
    return found


def _growth(
    run: StudyRun, baseline: Baseline, lending: Mapping[Path, Collection[str]], demos: Demos
) -> dict[Path, int]:
    """Return the tokens by which a usual candidate's prompts are longer than the committed ones."""
    made: defaultdict[Path, list[ModuleCall]] = defaultdict(list)
    for calls in baseline.once.calls.values():
        for call in calls:
            made[call.signature.prompt_path].append(call)
    modules, longer = len(baseline.signatures), {}
    for path in baseline.committed:
        parts = prompt_parts(made[path], baseline.committed, baseline.sizes)
        number, rows = len(made[path]), len(lending.get(path, ()))
        shown = demo_tokens(run.settings, rows, parts.demo / max(1, number), modules, demos)
        longer[path] = growth(run.settings, parts, number, shown)
    return longer


def _attempted(run: StudyRun, baseline: Baseline, lending: Mapping[Path, Collection[str]]) -> int:
    """Return how many training rows are run again for their demos, as far as the baseline tells."""
    training = set(baseline.split.train)
    mine = [item for item in baseline.evaluation.runs if item.case.row in training]
    wanted = tests_to_attempt(mine, {p: len(rows) for p, rows in lending.items()}, run.settings)
    failing = _failing_rows(baseline, (item for item in mine if item.case.test in wanted))
    cases, rows = len({item.case.id for item in mine}), len({item.case.row for item in mine})
    # A row is attempted with all its cases, at most so many in a round.
    return min(len(failing), run.settings.attempts * rows // max(1, cases))


def _failing_rows(baseline: Baseline, runs: Iterable[CaseRun]) -> set[str]:
    """Return the rows that might lend demos, and fail in one of the runs."""
    tests = baseline.study.tests
    return {
        item.case.row
        for item in runs
        if item.case.demo and not tests[item.case.test].passes(item.outcome.score or 0.0)
    }


def _grounding(run: StudyRun, baseline: Baseline) -> Amount:
    """Return what the requests for summaries take, as they are made of the baseline."""
    settings, train = run.settings, baseline.split.train
    requests: list[str] = []

    async def ask(make: Callable[[int], tuple[Message, ...]]) -> str:
        requests.append("".join(message.content for message in make(MAX_PROMPT_CHARACTERS)))
        return ""

    async def summaries() -> None:
        runs = [item for item in baseline.evaluation.runs if item.case.row in set(train)]
        if settings.has("dataset"):
            await dataset_summary(cases_of(baseline.study, train), settings.seed, ask)
        if settings.has("program"):
            await program_summary(runs, baseline.signatures, ask)

    loop.run(summaries())
    model, cost_model = proposer_models(run, baseline)[0], run.accounting.cost_model
    reply = round(usual_length(1))
    tokens = (baseline.sizes.tokens(model, request) for request in requests)
    return total(cost_model.amount(model, Usage(asked, reply)) for asked in tokens)


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
    texts = sorted(_proposal_texts(run, baseline), key=len) or [""]
    longest = Message("user", texts[-1])
    each = worst = Amount(1)
    for model, usual in _usual_proposals(run, baseline):
        each = each.at_least(usual)
        request = Request(model, (longest,), {"max_tokens": proposal_limit()})
        worst = worst.at_least(run.accounting.cost_model.worst(request).known)
    return each, worst


def _usual_proposals(run: StudyRun, baseline: Baseline) -> list[tuple[str, Amount]]:
    """Return what a request to each proposer model is expected to take."""
    instructions = [prompt.instruction for prompt in baseline.committed.values()]
    texts = list(_proposal_texts(run, baseline)) or [""]
    found = []
    for model in proposer_models(run, baseline):
        tokens = partial(baseline.sizes.tokens, model)
        replies = [usual_length(tokens(text)) for text in instructions]
        usage = Usage(round(fmean(map(tokens, texts))), round(fmean(replies)))
        found.append((model, run.accounting.cost_model.amount(model, usage)))
    return found


def _proposal_texts(run: StudyRun, baseline: Baseline) -> Iterator[str]:
    train = set(baseline.split.train)
    runs = [item for item in baseline.evaluation.runs if item.case.row in train]
    strategies = {item.name: item for item in run.strategies()}
    for signature in baseline.signatures:
        prompt = baseline.committed[signature.prompt_path]
        context = ProposalContext(
            signature,
            prompt.instruction,
            Grounding("", ""),
            module_examples(runs, signature, baseline.study.tests),
            limit=MAX_PROMPT_CHARACTERS,
        )
        for name in asked_in_turn(tuple(strategies)):
            request = strategies[name].request(context, random.Random(0))  # noqa: S311 - a draw
            if request is not None:
                yield "".join(message.content for message in request.messages)
