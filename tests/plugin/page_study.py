"""A study for the report page: every text that a model or a user gives is an attack."""

from __future__ import annotations

from typing import Any

from pytest_mipro.plugin.report.page.texts import Texts

EVIL = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"


def study(texts: Texts, detailed: int, cases: int = 500, trials: int = 60) -> dict[str, Any]:
    """Return a study of two modules; every text that a model or a user gives is an attack."""

    def evil(words: str) -> int:
        return texts.add(f"{words} {EVIL}")

    def call(n: int, when: str) -> dict[str, Any]:
        told = {"module": texts.add("desk.choose"), "model": texts.add("m"), "tokens": 90}
        return {
            **told,
            "reply": evil(f"{when} reply {n}"),
            "lead": 0,
            "asked": ["user", evil(f"ticket {n}")],
        }

    def step(n: int) -> dict[str, Any]:
        given = {"inputs": evil(f"query {n}"), "output": evil(f"found {n}")}
        return {"step": True, "module": evil("search"), **given, "seconds": 0.254, "cached": True}

    def case(n: int) -> dict[str, Any]:
        before, now, test = n % 2, (n % 3) / 2, "test_queue" if n % 5 else "test_reply"
        runs = [
            {"score": score, "feedback": evil(f"{when} feedback {n}")}
            | {"calls": [step(n), call(n, when)]}
            for when, score in (("before", before), ("now", now))
        ]
        return {
            "id": f"{test}[T-{n:03}{EVIL if n == 7 else ''}]",
            "test": test,
            "row": f"tickets.jsonl:T-{n:03}",
            "part": ("train", "validation", "holdout")[n // 3 % 3],
            "before": before,
            "now": now,
            "leaders": [((n + k) % 5) / 4 if n % 4 else None for k in range(12)],
            "runs": runs,
        }

    made = [
        {"number": n, "program": n, "round": 1, "full": n % 9 == 0, "rows": 16, "cost": n / 9}
        | {"estimate": 0.4 + 0.3 * n / trials, "best": 0.45 + 0.3 * n / trials}
        | {"dropped": "", "calls": 500 + 40 * n, "tokens": 9_000 * n}
        for n in range(1, trials + 1)
    ]
    plan = {"strategy": "grounded", "tip": "none", "examples": "mixed", "temperature": 1}
    by = {**plan, "round": 1, "dataset": True, "program": False, "model": EVIL}
    words = "Choose the queue."
    module = {
        "name": "desk.choose",
        "model": "m",
        "written": True,
        "chosen": [1, 1],
        "instructions": [
            {"text": texts.add(words), "origin": 0, "effect": None, "by": None},
            {"text": texts.add(f"{words} Think. {EVIL}"), "origin": 0, "effect": 0.1}
            | {"by": {**by, "saw": [["system", evil("seen")]], "said": evil("said")}},
        ],
        "demo_sets": [
            {"demos": [], "way": "", "effect": None},
            {"demos": [0], "way": "random", "effect": -0.02},
        ],
    }
    interval = {"objective": 0.5, "interval": [0.4, 0.6], "tests": {"test_queue": 0.5}}
    measured = {**interval, "cases": cases, "rows": cases}
    return {
        "kind": "optimization",
        "summary": {
            "reason": f"better {EVIL}",
            "ended": "",
            "demand": "",
            "verdict": "accept",
            "accepted": True,
            "lift": {"mean": 0.1, "low": 0.02, "high": 0.2},
            "base": 0.4,
            "decided_on": "holdout",
            **dict.fromkeys(("before", "after", "deciding_before", "deciding_after"), measured),
            "rows": {"train": 1, "validation": 2, "holdout": 3},
            **dict.fromkeys(("trials", "programs", "calls", "asked", "live", "looks"), trials),
            "billed": 1.5,
            "models": [EVIL],
            "changed": ["desk.choose"],
        },
        "modules": [module],
        "demos": [{"case": EVIL, "inputs": evil("inputs"), "output": evil("output")}],
        "programs": [
            {"number": n, "assignment": [1, 1], "estimate": 0.5, "rows": 16, "full": n % 9 == 0}
            | {"dropped": "", "tokens": 90, "cost": 0.01}
            | {"finalist": n == trials, "committed": False}
            for n in range(trials, 0, -1)
        ],
        "trials": made,
        "leaders": list(range(trials, trials - 12, -1)),
        "cases": [case(n) for n in range(cases)],
        "leads": [[["system", evil("system")]]],
        "refused": [{"what": EVIL, "why": EVIL, "text": evil("refused")}],
        "learnt": [
            {"choice": "tip", "value": EVIL, "effect": 0.01, "deviation": 0.02, "lessons": 3}
        ],
        "spending": [
            {"stage": "search", "module": EVIL, "model": "m", "live": 1}
            | {"calls": 10, "tokens": 100, "cost": 0.1}
        ],
    }
