"""`--mipro-json`: the run's report for programs; its schema lies beside this file."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mipro.optimizer.run.events import Measured, TrialFinished
    from pytest_mipro.optimizer.statistics.intervals import PairedLift
    from pytest_mipro.optimizer.study.amount import Amount
    from pytest_mipro.plugin.gate.verdict import CaseChange, CaseResult, Mean, Verdict
    from pytest_mipro.plugin.report.contents import GatedStudy, OptimizedStudy, RunReport

SCHEMA_VERSION = 1
"""Counted up when a key goes or changes its meaning; new keys come without that."""


def json_report(report: RunReport, redact: Callable[[str], str]) -> str:
    """Return the text of the report; every text in it has gone through `redact`."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "kind": "optimize" if report.optimize else "gate",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "pytest-mipro": version("pytest-mipro"),
            "pytest": pytest.__version__,
            "python": platform.python_version(),
        },
        "exit_status": report.exit_status,
        "studies": [_study(study) for study in report.studies],
        "optimizations": [_optimization(item, report) for item in report.optimizations],
        "written": list(report.written),
    }
    return json.dumps(_plain(data, redact), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _study(study: GatedStudy) -> dict[str, Any]:
    differences = study.differences
    return {
        "name": study.name,
        "lock": {
            "path": study.lock,
            "found": differences is not None,
            "differences": [asdict(difference) for difference in differences or ()],
        },
        "tests": [_test(verdict) for verdict in study.verdicts],
        "modules": [asdict(use) for use in study.uses],
    }


def _test(verdict: Verdict) -> dict[str, Any]:
    plan, comparison = verdict.plan, verdict.comparison
    return {
        "name": plan.name,
        "nodeid": plan.nodeid,
        "status": verdict.status,
        "reason": verdict.reason,
        "judged_on": verdict.judged_on,
        "rules": [asdict(rule) for rule in verdict.rules],
        "threshold": plan.threshold,
        "confidence": plan.confidence,
        "max_regression": plan.max_regression,
        "pass_score": plan.pass_score,
        "repeats": plan.repeats,
        "selected": plan.selected,
        "expected": plan.expected,
        "counts": dict(verdict.counts),
        "all": _mean(verdict.whole),
        "holdout": None if verdict.holdout is None else _mean(verdict.holdout),
        "pass_all": verdict.pass_all,
        "detectable": verdict.detectable,
        "comparison": None
        if comparison is None
        else {
            "lift": _lift(comparison.lift),
            "improved": [_change(change) for change in comparison.improved],
            "regressed": [_change(change) for change in comparison.regressed],
            "left_out": comparison.left_out,
        },
        "groups": [
            {
                "name": group.name,
                "mean": _mean(group.mean),
                "p_value": group.p_value,
                "failed": group.failed,
            }
            for group in verdict.groups
        ],
        "flaky": [case.id for case in verdict.flaky],
        "cases": [_case(case, plan.pass_score) for case in verdict.results],
    }


def _mean(mean: Mean) -> dict[str, Any]:
    interval = mean.interval if mean.mean is not None else None
    return {
        "mean": mean.mean,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "cases": mean.cases,
        "rows": mean.rows,
    }


def _lift(lift: PairedLift) -> dict[str, Any]:
    return {
        "mean": lift.mean,
        "low": lift.low,
        "high": lift.high,
        "lower_one_sided": lift.lower_one_sided,
        "rows": lift.rows,
    }


def _change(change: CaseChange) -> dict[str, Any]:
    return {"id": change.result.id, "before": change.before, "gain": change.gain}


def _case(case: CaseResult, pass_score: float) -> dict[str, Any]:
    outcome = case.outcome
    return {
        "id": case.id,
        "row": case.row,
        "status": case.status(pass_score),
        "score": outcome.score,
        "samples": list(case.samples),
        "metrics": dict(outcome.metrics),
        "feedback": outcome.feedback,
        "problem": outcome.error or outcome.failure or outcome.skipped,
        "group": case.group,
        "calls": case.usage.calls,
        "cached": case.usage.cached,
        "tokens": case.usage.tokens,
        "cost": case.usage.cost,
    }


def _optimization(item: OptimizedStudy, report: RunReport) -> dict[str, Any]:
    result = item.result
    decision = result.decision
    return {
        "study": result.study,
        "reason": result.reason,
        "decision": None
        if decision is None
        else {
            "verdict": decision.verdict,
            "bound": decision.bound,
            "lift": _lift(decision.lift),
        },
        "split": {
            "train": len(result.split.train),
            "validation": len(result.split.validation),
            "holdout": len(result.split.holdout),
            "shared": result.split.shared,
        },
        "modules": [
            {
                "name": signature.name,
                "prompt_path": report.shown(signature.prompt_path),
                "model": result.models.get(signature.prompt_path),
                "changed": result.prompts.get(
                    signature.prompt_path, result.committed[signature.prompt_path]
                )
                != result.committed[signature.prompt_path],
            }
            for signature in result.signatures
        ],
        "before": _measured(result.before),
        "after": _measured(result.after),
        "deciding_before": _measured(result.deciding_before),
        "deciding_after": _measured(result.deciding_after),
        "trials": [_trial(trial) for trial in item.trials],
        "calls": result.calls,
        "asked": result.asked,
        "spending": [
            {
                "stage": spent.stage,
                "module": spent.module,
                "model": spent.model,
                "live": spent.live,
                **_amount(spent.amount),
            }
            for spent in result.spending
        ],
        "billed": _amount(result.billed),
        "looks": result.holdout_uses,
        "ended": result.ended,
    }


def _amount(amount: Amount) -> dict[str, Any]:
    return {"calls": amount.calls, "tokens": amount.tokens, "cost": amount.dollars}


def _measured(measured: Measured | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    return {
        "objective": measured.objective,
        "low": measured.interval.low,
        "high": measured.interval.high,
        "tests": dict(measured.tests),
        "cases": measured.cases,
        "rows": measured.rows,
    }


def _trial(trial: TrialFinished) -> dict[str, Any]:
    return {key: value for key, value in asdict(trial).items() if key != "study"}


def _plain(value: Any, redact: Callable[[str], str]) -> Any:
    """Return the value with its texts redacted and writable, and null for what is no number."""
    if isinstance(value, str):
        return redact(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_plain(key, redact): _plain(item, redact) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, redact) for item in value]
    return value
