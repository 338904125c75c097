"""Recognise a study: two with equal fingerprints search the same way from the same prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pytest_mipro.optimizer.study.case import Study, TestSpec
from pytest_mipro.optimizer.study.settings import OptimizerSettings


def fingerprint_of(
    study: Study, settings: OptimizerSettings, project: Mapping[str, Any]
) -> dict[str, str]:
    """Return a digest of each part of a study by its name: cases, marks, options, project.

    `project` holds further parts as JSON data. Concurrency never changes a result, and is no part.
    """
    options = {name: value for name, value in asdict(settings).items() if name != "concurrency"}
    options["parts"] = sorted(settings.parts)
    parts = {
        "cases": [
            [case.id, case.row, case.test, case.split, case.demo, case.cluster, case.digest]
            for case in study.cases
        ],
        "mark arguments": {name: _told(test) for name, test in sorted(study.tests.items())},
        "options": options,
        **project,
    }
    return {name: digest_of_json(value) for name, value in parts.items()}


def _told(test: TestSpec) -> dict[str, Any]:
    return {name: value for name, value in asdict(test).items() if name != "concurrent"}


def digest_of_json(value: Any) -> str:
    """Return 16 hex digits of a JSON value; what JSON can't hold counts by its text."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
