"""What a study took, as lines: the bill."""

from __future__ import annotations

from pytest_mipro.optimizer.budget.spending import UNFINISHED, grouped
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.study.amount import describe_amount, total
from pytest_mipro.plugin.optimise.lines.forecast_lines import STAGE_WIDTH

_SHOWN_USERS = 12


def describe_spending(result: StudyResult) -> list[str]:
    """Return what a study took: in all and billed, then by stage, and by module and model."""
    spent = total(entry.amount for entry in result.spending)
    lines = [f"{describe_amount(spent)}; billed {describe_amount(result.billed)}"]
    by_stage = grouped(result.spending, lambda entry: entry.stage)
    lines += [
        f"{name:<{STAGE_WIDTH}}{describe_amount(amount)}" for name, amount in by_stage.items()
    ]
    names = {"": "proposals", UNFINISHED: "dropped or unfinished, at worst"}
    users = grouped(
        result.spending,
        lambda entry: f"{names.get(entry.module, entry.module)} {entry.model}".strip(),
    )
    shown = sorted(users.items(), key=lambda item: (-item[1].calls, item[0]))
    lines += [f"{name}: {describe_amount(amount)}" for name, amount in shown[:_SHOWN_USERS]]
    if len(shown) > _SHOWN_USERS:
        lines.append(f"and {len(shown) - _SHOWN_USERS} more, in the JSON report")
    return lines
