"""A lock of two cases, its text, and what a written lock has beside it: summary and checks."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase, LockedModule

PATH = Path("tests/test_desk.mipro.json")

EXAMPLE = Lock(
    holdout="5a17",
    seed=0,
    logical_calls=2810,
    holdout_uses=1,
    confirmed=True,
    demo_rows=("tickets.jsonl:T-2", "tickets.jsonl:T-1"),
    modules=(
        LockedModule(
            "pipeline.route",
            "../prompts/pipeline.route.yaml",
            "aa",
            "ee",
            "bb",
            "simulated/small",
            {"temperature": 0},
        ),
    ),
    cases=(
        LockedCase("test_queue[T-2]", "test_queue", "tickets.jsonl:T-2", "cc", 1.0),
        LockedCase("test_queue[T-1]", "test_queue", "tickets.jsonl:T-1", "dd", None),
    ),
)
TEXT = """\
{
  "schema_version": 1,
  "holdout": "5a17",
  "seed": 0,
  "logical_calls": 2810,
  "holdout_uses": 1,
  "confirmed": true,
  "demo_rows": [
    "tickets.jsonl:T-1",
    "tickets.jsonl:T-2"
  ],
  "modules": [
    {"docstring": "ee", "frozen": false, "model": "simulated/small", "name": "pipeline.route", \
"parameters": {"temperature": 0}, "prompt": "aa", \
"prompt_path": "../prompts/pipeline.route.yaml", "signature": "bb"}
  ],
  "cases": [
    {"digest": "dd", "id": "test_queue[T-1]", "row": "tickets.jsonl:T-1", "score": null, \
"test": "test_queue"},
    {"digest": "cc", "id": "test_queue[T-2]", "row": "tickets.jsonl:T-2", "score": 1.0, \
"test": "test_queue"}
  ]
}
"""

SUMMARY = """\
  "summary": [
    "test_queue: 1.000 (0.21 to 1.00), 1 case",
    "simulated/small"
  ],
"""
CHECK = re.compile(r',\s+"check": "[0-9a-f]{8}"')
