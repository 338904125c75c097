"""Write the run's report for programs (`--mipro-json`); its schema is beside this file."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest

from pytest_mipro.optimizer.run.events import Measured, TrialFinished
from pytest_mipro.optimizer.statistics.intervals import PairedLift
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.plugin.gate.verdict import CaseChange, Mean, Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.plugin.report.contents import GatedStudy, OptimizedStudy, RunReport

SCHEMA_VERSION = 1
"""Goes up when a key goes or changes its meaning, not when a new key comes."""


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
        "modules": [
            {"module": each.module, "model": each.model, **asdict(each.usage)}
            for each in study.usages
        ],
    }


def _test(verdict: Verdict) -> dict[str, Any]:
    plan, comparison = verdict.plan, verdict.comparison
    return {
        **_fields(plan, "name nodeid"),
        **_fields(verdict, "status reason judged_on"),
        "rules": [asdict(rule) for rule in verdict.rules],
        **_fields(plan, "threshold confidence max_regression pass_score repeats selected expected"),
        "counts": dict(verdict.counts),
        "all": _mean(verdict.whole),
        "holdout": verdict.holdout and _mean(verdict.holdout),
        **_fields(verdict, "pass_all detectable"),
        "comparison": comparison
        and {
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
    bounds = _fields(mean.interval, "low high")
    if mean.mean is None:
        bounds = dict.fromkeys(bounds)
    return {"mean": mean.mean, **bounds, **_fields(mean, "cases rows")}


def _lift(lift: PairedLift) -> dict[str, Any]:
    return _fields(lift, "mean low high lower_one_sided rows")


def _change(change: CaseChange) -> dict[str, Any]:
    return {"id": change.result.id, **_fields(change, "before gain")}


def _case(case: CaseResult, pass_score: float) -> dict[str, Any]:
    outcome = case.outcome
    return {
        **_fields(case, "id row"),
        "status": case.status(pass_score),
        "score": outcome.score,
        "samples": case.samples,
        "metrics": dict(outcome.metrics),
        "feedback": outcome.feedback,
        "problem": outcome.error or outcome.failure or outcome.skipped,
        "group": case.group,
        **_fields(case.usage, "calls cached tokens cost"),
    }


def _optimization(item: OptimizedStudy, report: RunReport) -> dict[str, Any]:
    result, split = item.result, item.result.split
    decision = result.decision
    return {
        **_fields(result, "study reason"),
        "decision": decision
        and {**_fields(decision, "verdict bound"), "lift": _lift(decision.lift)},
        "split": {
            "train": len(split.train),
            "validation": len(split.validation),
            "holdout": len(split.holdout),
            "shared": split.shared,
        },
        "modules": [
            {
                "name": signature.name,
                "prompt_path": report.shown(signature.prompt_path),
                "model": result.models.get(signature.prompt_path),
                "changed": signature in item.changed,
            }
            for signature in result.signatures
        ],
        "before": _measured(result.before),
        "after": _measured(result.after),
        "deciding_before": _measured(result.deciding_before),
        "deciding_after": _measured(result.deciding_after),
        "trials": [_trial(trial) for trial in item.trials],
        **_fields(result, "calls asked"),
        "spending": [
            {**_fields(spent, "stage module model live"), **_amount(spent.amount)}
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
        **_fields(measured.interval, "low high"),
        "tests": dict(measured.tests),
        **_fields(measured, "cases rows"),
    }


def _trial(trial: TrialFinished) -> dict[str, Any]:
    return {key: value for key, value in asdict(trial).items() if key != "study"}


def _fields(item: object, names: str) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names.split()}


def _plain(value: Any, redact: Callable[[str], str]) -> Any:
    """Return the value with redacted, encodable texts, and None for a number that is not finite."""
    if isinstance(value, str):
        return redact(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_plain(key, redact): _plain(item, redact) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, redact) for item in value]
    return value
