"""docs/costs.md: its figures are those of the run that the README quotes, and add up."""

from __future__ import annotations

import re

from pages import ROOT

from pytest_mipro.optimizer.budget.spending import STAGES

PAGE = (ROOT / "docs/costs.md").read_text(encoding="utf-8")
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def rows(start: str) -> dict[str, list[str]]:
    table = PAGE.partition(start)[2].partition("\n\n*")[0]
    cells = [re.split(r"\s*\|\s*", line.strip("| ")) for line in table.splitlines() if "|" in line]
    return {name: figures for name, *figures in cells}


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text))


BY_STAGE = rows("## An optimisation, stage by stage")


def test_what_was_expected_is_the_plan_of_the_readme() -> None:
    for stage in (*STAGES, "in all"):
        assert f"{stage} {BY_STAGE[stage][-2]}" in README


def test_what_it_took_adds_up_to_the_bill_of_the_readme() -> None:
    took = [numbers(BY_STAGE[stage][-1]) for stage in STAGES]
    total = BY_STAGE["in all"][-1]
    assert tuple(map(sum, zip(*took, strict=True))) == numbers(total)
    assert f"cost {total};" in README
    bill = " ".join(PAGE.partition("$ python -m pytest_mipro cost")[2].partition("```")[0].split())
    for stage in STAGES:
        assert f"{stage} {BY_STAGE[stage][-1]}" in bill
    assert f"in all {total}" in bill


def test_a_call_s_tokens_are_those_of_the_baseline_and_of_the_readme_s_gate() -> None:
    text = " ".join(PAGE.split())
    calls, tokens = numbers(BY_STAGE["baseline"][-1])
    assert f"a call took {round(tokens / calls)} tokens" in text
    gate = re.search(r"([\d,]+) LM calls: [\d,]+ cached, 0 live; ([\d,]+) tokens", README)
    assert gate
    calls, tokens = numbers(" ".join(gate.groups()))
    said = f"and {round(tokens / calls)} under the new ones ({gate[2]} for the {gate[1]} calls"
    assert said in text
