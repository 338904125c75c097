"""Write the run's report for programs (`--mipro-json`); its schema is beside this file."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from operator import attrgetter
from typing import Any

import pytest

from pytest_mipro.optimizer.statistics.intervals import PairedLift
from pytest_mipro.plugin.config.redaction import redacted
from pytest_mipro.plugin.gate.verdict.model_comparison import by_test
from pytest_mipro.plugin.gate.verdict.verdict_types import Mean, Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.plugin.measuring.shown_calls import ShownCall
from pytest_mipro.plugin.replies.troubles import Trouble
from pytest_mipro.plugin.report.contents import GatedStudy, OptimizedStudy, RunReport

SCHEMA_VERSION = 2
"""Goes up when a key goes or changes its meaning, not when a new key comes."""
_LIFT = "mean low high lower_one_sided rows"
_CHANGE = "id=result.id before gain"
_TRIAL = "number round kind assignment estimate rows best calls dropped"
_AMOUNT = "calls tokens cost=dollars"
_MEASURED = "objective low=interval.low high=interval.high tests cases rows"


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
    return json.dumps(redacted(data, redact), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _study(study: GatedStudy) -> dict[str, Any]:
    differences = study.differences
    compared = (each for models in by_test(study.verdicts).values() for each in models)
    lifts = {each.verdict.plan.name: each.lift for each in compared}
    return {
        "name": study.name,
        "lock": {
            "path": study.lock,
            "found": differences is not None,
            "differences": [asdict(difference) for difference in differences or ()],
        },
        "tests": [_test(verdict, lifts) for verdict in study.verdicts],
        "modules": [
            {"module": each.module, "model": each.model, **asdict(each.usage)}
            for each in study.usages
        ],
        "troubles": _troubles(study.troubles),
    }


def _test(verdict: Verdict, lifts: Mapping[str, PairedLift | None]) -> dict[str, Any]:
    plan, comparison, lift = verdict.plan, verdict.comparison, lifts.get(verdict.plan.name)
    of_model = {"model": plan.model, "against_first": lift and _fields(lift, _LIFT)}
    return {
        **_fields(plan, "name nodeid"),
        **(of_model if plan.model else {}),
        **_fields(verdict, "status reason judged_on"),
        "rules": [asdict(rule) for rule in verdict.rules],
        **_fields(plan, "threshold confidence max_regression pass_score repeats selected expected"),
        "counts": verdict.counts,
        "all": _mean(verdict.whole),
        "holdout": verdict.holdout and _mean(verdict.holdout),
        "metrics": {each.name: _fields(each, "mean cases") for each in verdict.metrics},
        **_fields(verdict, "pass_all detectable"),
        "comparison": comparison
        and {
            "lift": _fields(comparison.lift, _LIFT),
            "improved": [_fields(change, _CHANGE) for change in comparison.improved],
            "regressed": [_fields(change, _CHANGE) for change in comparison.regressed],
            "left_out": comparison.left_out,
        },
        "groups": [
            {"name": group.name, "mean": _mean(group.mean), **_fields(group, "p_value failed")}
            for group in verdict.groups
        ],
        "flaky": [case.id for case in verdict.flaky],
        "cases": [_case(case, verdict) for case in verdict.results],
    }


def _mean(mean: Mean) -> dict[str, Any]:
    unknown = {} if mean.mean is not None else {"low": None, "high": None}
    return _fields(mean, "mean low=interval.low high=interval.high cases rows") | unknown


def _case(case: CaseResult, verdict: Verdict) -> dict[str, Any]:
    outcome = case.outcome
    return {
        **_fields(case, "id row"),
        "status": case.status(verdict.plan.pass_score),
        **_fields(case, "score samples metrics=outcome.metrics feedback=outcome.feedback"),
        "problem": outcome.error or outcome.failure or outcome.skipped,
        "group": case.group,
        **_fields(case.usage, "calls cached tokens cost"),
        "locked_score": verdict.locked.get(case.id),
        "trace": list(map(_call, case.shown)),
    }


def _call(call: ShownCall) -> dict[str, Any]:
    return {
        **asdict(call),
        "messages": [{"role": role, "content": content} for role, content in call.messages],
        "parameters": json.loads(call.parameters),
        "output": json.loads(call.output or "null"),
    }


def _optimization(item: OptimizedStudy, report: RunReport) -> dict[str, Any]:
    result, split, decision = item.result, item.result.split, item.result.decision
    rows = _fields(split, "train validation holdout")
    return {
        **_fields(result, "study reason"),
        "decision": decision
        and {
            **_fields(decision, "verdict accepted bound level"),
            "lift": _fields(decision.lift, _LIFT),
        },
        "decided_on": result.decided_on,
        "split": {**{part: len(keys) for part, keys in rows.items()}, "shared": split.shared},
        "modules": [
            {
                "name": signature.label,
                "prompt_path": report.shown(signature.prompt_path),
                "model": " and ".join(result.models_of(signature)) or None,
                "changed": signature in item.changed,
            }
            for signature in result.signatures
        ],
        **{
            name: measured and _fields(measured, _MEASURED)
            for name, measured in _fields(
                result, "before after deciding_before deciding_after"
            ).items()
        },
        "trials": [_fields(trial, _TRIAL) for trial in item.trials],
        **_fields(result, "calls asked"),
        "spending": [
            {**_fields(spent, "stage module model live"), **_fields(spent.amount, _AMOUNT)}
            for spent in result.spending
        ],
        "billed": _fields(result.billed, _AMOUNT),
        "troubles": _troubles(item.troubles),
        "proposals": {
            "asked": len(item.proposals),
            "unusable": Counter(p.problem for p in item.proposals if p.problem),
        },
        **_fields(result, "looks=holdout_uses ended"),
    }


def _troubles(troubles: Iterable[Trouble]) -> list[dict[str, Any]]:
    return [{"module": module, "what": what, "replies": n} for module, what, n in troubles]


def _fields(item: object, names: str) -> dict[str, Any]:
    """Return attributes of the item by their names; `key=one.two` names the key of a nested one."""
    pairs = (name.rpartition("=") for name in names.split())
    return {key or path: attrgetter(path)(item) for key, _, path in pairs}
