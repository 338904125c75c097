"""A test with several models is optimised for all of them together: one file serves them all."""

from __future__ import annotations

import json

from optimize_project import LOCK, PROMPT, calls, optimize, run, write_project
from printed import flat

SOURCE = """
@pytest.mark.mipro(threshold=0.1, models=["test/one", "test/two"])
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""


def test_one_prompt_is_searched_for_all_models(pytester):
    write_project(pytester, SOURCE)
    result = optimize(pytester, "-v", "--mipro-json=r.json")
    assert result.ret == 0
    text = flat(result)
    assert "on 80 cases of 40 rows" in text
    assert "test_parity@test/one: " in text
    assert "test_parity@test/two: " in text
    bill = text.partition(" bill ")[2]
    assert "pipeline.parity test/one: " in bill
    assert "pipeline.parity test/two: " in bill
    assert calls(pytester).split()[1:] == ["test/one", "test/two"]  # and not the ini file's
    (study,) = json.loads((pytester.path / "r.json").read_text())["optimizations"]
    assert set(study["after"]["tests"]) == {"test_parity@test/one", "test_parity@test/two"}
    (module,) = study["modules"]
    assert module["model"] == "test/one and test/two"
    assert (pytester.path / PROMPT).exists()
    lock = json.loads((pytester.path / LOCK).read_text())
    assert [module["model"] for module in lock["modules"]] == ["test/one", "test/two"]
    gate = run(pytester)
    assert gate.ret == 0
    assert "differs from" not in flat(gate)
    assert "the models of test_parity, on the same cases:" in flat(gate)


def test_one_of_the_models_writes_nothing(pytester):
    write_project(pytester, SOURCE)
    result = optimize(pytester, "-k", "one")
    assert "only part of the study's cases are selected: nothing will be written" in flat(result)
    assert not (pytester.path / PROMPT).exists()
    assert calls(pytester).split()[1:] == ["test/one"]


def test_a_dry_run_after_the_gate_counts_the_calls_of_each_model(pytester):
    write_project(pytester, SOURCE)
    assert run(pytester).ret == 0
    dry = flat(run(pytester, "--mipro-optimize", "--mipro-dry-run"))
    assert "the last gate run made 80 distinct calls" in dry
    assert "test/one: " in dry
    assert "test/two: " in dry
    assert "tests test_parity@test/one, test_parity@test/two" in dry
