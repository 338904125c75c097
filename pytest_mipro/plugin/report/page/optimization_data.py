"""The data of the page of an optimisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_mipro.optimizer.run.events import (
    CandidatesReady,
    FinalistChosen,
    LessonsLearnt,
    Measured,
    ProposalsMade,
)
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.study.case import Evaluation
from pytest_mipro.plugin.report.contents import OptimizedStudy, describe_demand
from pytest_mipro.plugin.report.page.candidates import (
    ModuleData,
    chosen_in,
    offered_by,
    proposed_in,
)
from pytest_mipro.plugin.report.page.case_runs import CaseData, by_case, rounded
from pytest_mipro.plugin.report.page.texts import Texts
from pytest_mipro.plugin.report.page.trial_programs import Programs, committed_score

_SHOWN = {True: "shown", False: "not shown"}
_NONE = Evaluation(())
_NO_SCORES: Mapping[str, float] = {}


def optimization_data(item: OptimizedStudy, texts: Texts, detailed: int) -> dict[str, Any]:
    """Return the data of the page; `detailed` cases at most are shown with their calls."""
    result = item.result
    ready = next(iter(item.of(CandidatesReady)[::-1]), None)
    finalist = next(iter(item.of(FinalistChosen)), None)
    offered = offered_by(result, ready)
    programs = Programs(item.trials, 2 * len(offered))
    base = committed_score(result)
    effects = programs.effects(base)
    modules = ModuleData(texts, proposed_in(item.of(ProposalsMade)), ready.ways if ready else {})
    assignment = programs.padded(finalist.assignment) if finalist else None
    lifts = [
        {choice: lift for (place, choice), lift in effects.items() if place == dimension}
        for dimension in range(2 * len(offered))
    ]
    return {
        "kind": "optimization",
        "summary": _summary(item, base),
        "modules": [
            modules.module(
                each, chosen_in(assignment, place), lifts[2 * place : 2 * place + 2], result
            )
            for place, each in enumerate(offered)
        ],
        "demos": modules.demos,
        "programs": programs.data(finalist),
        "trials": programs.trials(item.trials),
        "leaders": [leader.number for leader in programs.leaders],
        **_cases(result, programs, texts, detailed),
        "refused": list(_refused(item, texts)),
        "learnt": _learnt(item.of(LessonsLearnt)),
        "spending": [
            {
                **{name: getattr(spent, name) for name in ("stage", "module", "model", "live")},
                "calls": spent.amount.calls,
                "tokens": spent.amount.tokens,
                "cost": spent.amount.dollars,
            }
            for spent in result.spending
        ],
    }


def _summary(item: OptimizedStudy, base: float) -> dict[str, Any]:
    result, decision = item.result, item.result.decision
    parts = ("train", "validation", "holdout")
    return {
        "reason": result.reason,
        "ended": result.ended,
        "demand": describe_demand(result),
        "verdict": decision.verdict if decision else "",
        "accepted": bool(decision and decision.accepted),
        "lift": decision
        and {name: getattr(decision.lift, name) for name in ("mean", "low", "high")},
        "base": rounded(base),
        "bound": decision and decision.bound,
        "level": decision and decision.level,
        "decided_on": result.decided_on,
        **{
            name: _measured(getattr(result, name))
            for name in ("before", "after", "deciding_before", "deciding_after")
        },
        "rows": {part: len(getattr(result.split, part)) for part in parts},
        "trials": len(item.trials),
        "programs": result.trials,
        "calls": result.calls,
        "asked": result.asked,
        "live": result.live,
        "looks": result.holdout_uses,
        "billed": result.billed.dollars,
        "models": sorted({name for each in result.signatures for name in result.models_of(each)}),
        "changed": [signature.label for signature in item.changed],
    }


def _measured(measured: Measured | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    low, high = measured.interval.low, measured.interval.high
    return {**asdict(measured), "interval": [low, high], "tests": dict(measured.tests)}


def _cases(
    result: StudyResult, programs: Programs, texts: Texts, detailed: int
) -> dict[str, list[Any]]:
    """Return the cases, those that got worse first, and the beginnings that messages share."""
    data, now = CaseData(texts), result.final or result.decided or _NONE
    before_scores, now_scores = result.baseline.scores(), now.scores()
    before_runs, now_runs = by_case(result.baseline.runs), by_case(now.runs)
    prompts = {**result.committed, **(result.prompts or result.refused)}
    leaders = [leader.last.scores for leader in programs.leaders]
    part = {row: name for name in ("train", "validation", "holdout") for row in _rows(result, name)}
    gains = {case: now_scores.get(case, score) - score for case, score in before_scores.items()}
    order = sorted(before_scores, key=lambda case: (gains[case], before_scores[case], case))
    cases = []
    for place, name in enumerate(order):
        case = before_runs[name][0].case
        told: dict[str, Any] = {
            "id": name,
            "test": case.test,
            "row": case.row,
            "part": part.get(case.row, ""),
            "before": rounded(before_scores[name]),
            "now": rounded(now_scores.get(name)),
            "leaders": [rounded(scores.get(name)) for scores in leaders],
        }
        if place < detailed:
            told["runs"] = [data.run(before_runs[name], result.committed)]
            if name in now_runs:
                told["runs"].append(data.run(now_runs[name], prompts))
        cases.append(told)
    return {"cases": cases, "leads": data.leads.all}


def _rows(result: StudyResult, part: str) -> Sequence[str]:
    rows: Sequence[str] = getattr(result.split, part)
    return rows


def _refused(item: OptimizedStudy, texts: Texts) -> Iterator[dict[str, Any]]:
    """Yield what was refused, and why: the finalist, proposals, trials."""
    result = item.result
    if result.refused:
        yield {"what": "the finalist", "why": result.reason}
    for made in item.of(ProposalsMade):
        if made.skipped:
            yield {"what": f"all proposals of round {made.round}", "why": made.skipped}
        for proposal in made.proposals:
            if proposal.problem:
                plan = proposal.plan
                yield {
                    "what": f"an instruction for {proposal.signature.label}",
                    "why": proposal.problem,
                    "more": f"round {made.round}, {plan.strategy}, tip {plan.tip}, {plan.model}",
                    "text": texts.add(proposal.reply),
                }
    for trial in item.trials:
        if trial.dropped:
            yield {"what": f"trial {trial.number}", "why": trial.dropped}


def _learnt(events: Sequence[LessonsLearnt]) -> list[dict[str, Any]]:
    """Return what is known of each choice of how to ask, and how many lessons of this run had it.

    None without a lesson.
    """
    lessons = [lesson for event in events for lesson in event.lessons]
    counts = Counter(pair for lesson in lessons for pair in asdict(lesson.plan).items())
    return [
        {
            "choice": name,
            "value": _SHOWN[value] if isinstance(value, bool) else str(value),
            "effect": effect,
            "deviation": deviation,
            "lessons": counts[name, value],
        }
        for (name, value), effect, deviation in (events[-1].effects if lessons else ())
    ]
