"""Write the models of a test side by side: mean, difference from the first, cost, verdict."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_mipro.plugin.gate.verdict.model_comparison import GatedModel, by_test, compared_on
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.report_data import CallUsage
from pytest_mipro.plugin.report.case_lines import format_lift, format_mean

HEAD = ("model", "mean (95 %)", "against the first", "tokens", "cost", "verdict")
"""The columns of a table: the model's name and `model_row`."""
_NAME, _LIFT = 24, 23
_COLOURS = {"passed": "green", "failed": "red", "incomplete": "red"}


def model_lines(verdicts: Iterable[Verdict]) -> list[tuple[str, dict[str, bool]]]:
    """Return a table for each test with several models, in lines of 80 columns with their markup.

    A model's interval is in the line of its verdict.
    """
    found: list[tuple[str, dict[str, bool]]] = []
    for name, models in by_test(verdicts).items():
        width = min(_NAME, max(len("model"), *(len(it.verdict.plan.model) for it in models)))
        head = f"{'model':{width}}  mean   {'against the first':{_LIFT}}  {'cost':>9}  verdict"
        found += [
            (f"the models of {name}, {compared_on(models)}:", {}),
            (f"  {head}", {"bold": True}),
        ]
        for each in models:
            verdict, mean = each.verdict, each.verdict.whole.mean
            model = verdict.plan.model
            shown = model if len(model) <= width else f"…{model[1 - width :]}"
            score = "none " if mean is None else f"{mean:.3f}"
            lift = format_lift(each.lift) if each.lift else ""
            cost = format_cost(each.usage) or "unknown"
            line = f"  {shown:{width}}  {score}  {lift:{_LIFT}}  {cost:>9}  "
            colour = _COLOURS.get(verdict.status)
            found.append((line + format_status(verdict), {colour: True} if colour else {}))
    return found


def model_row(each: GatedModel) -> list[str]:
    """Return a model's cells under `HEAD`, behind its name."""
    return [
        format_mean(each.verdict.whole),
        format_lift(each.lift) if each.lift else "",
        f"{each.usage.tokens:,}",
        format_cost(each.usage) or "unknown",
        format_status(each.verdict),
    ]


def format_status(verdict: Verdict) -> str:
    """Return the verdict in a word, in capitals where it is bad news."""
    bad = verdict.status in ("failed", "incomplete")
    return verdict.status.upper() if bad else "" if verdict.status == "each" else verdict.status


def format_cost(usage: CallUsage) -> str:
    """Return the dollars that calls took, "" where a price is unknown."""
    return "" if usage.cost is None else f"${usage.cost:.4f}"
