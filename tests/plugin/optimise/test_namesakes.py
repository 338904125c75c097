"""Modules of one name, as a factory makes them: told apart wherever a study names them."""

from __future__ import annotations

import json

from optimize_project import optimize, write_project

FACTORY = '''
def make(prompt):
    @lm_module(prompt=prompt)
    def judge(number: str) -> Literal["odd", "even"]:
        """Say whether the number is odd."""
    return judge

first, second = make("prompts/first.yaml"), make("prompts/second.yaml")
'''
SOURCE = """
from pipeline import first, second

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_both(number):
    right = "odd" if number % 2 else "even"
    return (
        (first(number=str(number)) == right) + (second(number=f"0{number}") == right)
    ) / 2
"""
NAMES = [f"pipeline.judge (prompts/{name}.yaml)" for name in ("first", "second")]


def test_plan_rounds_bill_record_and_reports_name_each(pytester):
    write_project(pytester, SOURCE, pipeline=FACTORY)
    folder = pytester.path / "prompts"
    folder.mkdir()
    for name in ("first", "second"):
        text = "schema_version: 1\nmodule: pipeline.judge\ninstruction: Say it.\ndemos: []\n"
        (folder / f"{name}.yaml").write_text(text)
    result = optimize(pytester, "-v", "--mipro-json=r.json")
    text = " ".join(result.stdout.str().split())
    assert f"2 modules: {', '.join(NAMES)}" in text
    for name in NAMES:
        short = name.removeprefix("pipeline.")
        assert f"{short} " in text.partition("round 1")[2].partition("trial")[0]
        assert f"{name} test/fake: " in text.partition("bill")[2]
    (path,) = (pytester.path / ".mipro" / "records").glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {line["module"] for line in lines if line["event"] == "proposal"} == set(NAMES)
    (study,) = json.loads((pytester.path / "r.json").read_text())["optimizations"]
    assert [module["name"] for module in study["modules"]] == NAMES
    assert {spent["module"] for spent in study["spending"]} == {*NAMES, ""}
    dry = pytester.runpytest_inprocess("--mipro-optimize", "--mipro-dry-run")
    assert f"modules {', '.join(NAMES)}" in " ".join(dry.stdout.str().split())
    gate = pytester.runpytest_inprocess("--mipro-json=g.json")
    assert gate.ret == 0
    (study,) = json.loads((pytester.path / "g.json").read_text())["studies"]
    assert [module["module"] for module in study["modules"]] == NAMES
