"""The data of the page of a plain gate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pytest_mipro.plugin.gate.verdict.verdict_types import Mean, Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.plugin.measuring.shown_calls import ShownCall
from pytest_mipro.plugin.report.contents import GatedStudy
from pytest_mipro.plugin.report.page.case_runs import Leads, parsed, rounded, step_data, took
from pytest_mipro.plugin.report.page.lock_history import LockedScores
from pytest_mipro.plugin.report.page.texts import Texts


def gate_data(
    study: GatedStudy, history: Sequence[LockedScores], texts: Texts, detailed: int
) -> dict[str, Any]:
    """Return the data of the page; `detailed` cases at most are shown with their calls.

    `history` are the scores of the study's lock, the oldest first.
    """
    leads = Leads()
    found = [(verdict, case) for verdict in study.verdicts for case in verdict.results]
    found.sort(key=lambda pair: _order(*pair))
    return {
        "kind": "gate",
        "summary": {
            "tests": [_test(verdict) for verdict in study.verdicts],
            "differences": None if study.differences is None else list(map(str, study.differences)),
        },
        "history": [asdict(each) for each in history],
        "cases": [
            {
                "id": case.id,
                "test": case.test,
                "row": case.row,
                "part": case.group or "",
                "before": rounded(verdict.locked.get(case.id)),
                "now": rounded(case.score),
                **({"runs": [_run(case, texts, leads)]} if place < detailed else {}),
            }
            for place, (verdict, case) in enumerate(found)
        ],
        "leads": leads.all,
        "spending": [
            {
                "module": each.module,
                "model": each.model,
                "calls": each.usage.calls,
                "live": each.usage.calls - each.usage.cached,
                "tokens": each.usage.tokens,
                "cost": each.usage.cost,
            }
            for each in study.usages
        ],
    }


def _order(verdict: Verdict, case: CaseResult) -> tuple[float, float, str]:
    """Return what sorts cases: those without a score, then those that lost most, then the worst."""
    if case.score is None:
        return -2.0, 0.0, case.id
    locked = verdict.locked.get(case.id)
    return case.score - (case.score if locked is None else locked), case.score, case.id


def _test(verdict: Verdict) -> dict[str, Any]:
    lift = verdict.comparison.lift if verdict.comparison else None
    return {
        "name": verdict.plan.name,
        "status": verdict.status,
        "reason": verdict.reason,
        **_mean(verdict.whole),
        "lift": lift and {name: getattr(lift, name) for name in ("mean", "low", "high")},
    }


def _mean(mean: Mean) -> dict[str, Any]:
    interval = [mean.interval.low, mean.interval.high]
    return {"mean": mean.mean, "interval": interval, "cases": mean.cases}


def _run(case: CaseResult, texts: Texts, leads: Leads) -> dict[str, Any]:
    """Return the data of a case: of several samples, the calls of the worst."""
    outcome, samples = case.outcome, case.samples
    worst = samples.index(min(samples)) if samples else 0
    told = outcome.error or outcome.failure or outcome.skipped or outcome.feedback
    data: dict[str, Any] = {
        "score": rounded(case.score),
        "calls": [_call(call, texts, leads) for call in case.shown if call.sample == worst],
    }
    if told:
        data["feedback"] = texts.add(told)
    if outcome.metrics:
        data["metrics"] = dict(outcome.metrics)
    if len(samples) > 1:
        data["samples"] = [rounded(score) for score in samples]
    return data


def _call(call: ShownCall, texts: Texts, leads: Leads) -> dict[str, Any]:
    add = texts.add
    if call.step:
        gave = {"error": call.error} if call.error else {"output": call.output}
        return step_data(texts, call.module, call.parameters, gave, call.seconds, call.cached)
    sent = [(role, add(content)) for role, content in call.messages]
    shown = {
        "output": parsed(call.reply or "", json.loads(call.output or "null")),
        "error": call.error,
        "reply": call.reply,
        "recorded": call.before,
    }
    data: dict[str, Any] = {
        "module": add(call.module),
        "model": add(call.model),
        "tokens": call.prompt_tokens + call.completion_tokens,
        "cost": call.cost,
        "seconds": took(call.seconds),
        "cached": call.cached,
        **{name: add(text) for name, text in shown.items() if text},
    }
    if sent:
        data |= {"lead": leads.add(sent[:-1]), "asked": sent[-1]}
    if call.requests > 1:
        data["requests"] = call.requests
    return data
