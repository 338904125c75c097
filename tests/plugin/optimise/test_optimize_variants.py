"""Variants are optimised and written on their own, from the prompt that they fall back on."""

from __future__ import annotations

import json

from optimize_project import LOCK, PROMPT, optimize, run, write_project
from printed import flat

VARIANT = PROMPT.replace(".yaml", "@acme.yaml")
SOURCE = """
from pytest_mipro import variant

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_acme(number):
    with variant("acme"):
        assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""
BOTH = f"""{SOURCE}
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_plain(number):
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""


def commit(pytester, instruction, path=PROMPT):
    file = pytester.path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"schema_version: 1\nmodule: pipeline.parity\ninstruction: {instruction}\ndemos: []\n"
    )
    return file


def test_a_study_of_a_variant_starts_from_the_fallback_and_leaves_it_alone(pytester):
    write_project(pytester, SOURCE)
    plain = commit(pytester, "Say what the plain file says.")
    before = plain.read_bytes()
    result = optimize(pytester, "-v", "--mipro-json=r.json")
    assert result.ret == 0
    assert plain.read_bytes() == before
    text = (pytester.path / VARIANT).read_text()
    assert "module: pipeline.parity\n" in text
    assert "Look carefully" in text
    shown = flat(result)
    assert "1 module: pipeline.parity@acme" in shown
    assert "pipeline.parity@acme test/fake: " in shown.partition("bill")[2]
    assert f"+++ b/{VARIANT}" in shown
    (study,) = json.loads((pytester.path / "r.json").read_text())["optimizations"]
    (module,) = study["modules"]
    assert module["name"] == "pipeline.parity@acme"
    assert module["prompt_path"] == VARIANT
    (locked,) = json.loads((pytester.path / LOCK).read_text())["modules"]
    assert locked["name"] == "pipeline.parity@acme"
    gate = run(pytester)
    assert gate.ret == 0
    assert "variant acme: its own prompt for pipeline.parity" in flat(gate)
    assert "differs from" not in flat(gate)
    again = optimize(pytester)
    assert "this study has ended" in flat(again)


def test_the_baseline_is_measured_with_the_fallback(pytester):
    write_project(pytester, SOURCE)
    commit(pytester, "Look carefully at the last digit.")
    assert optimize(pytester, "--mipro-json=r.json").ret == 0
    (study,) = json.loads((pytester.path / "r.json").read_text())["optimizations"]
    assert study["before"]["objective"] > 0.7  # the docstring alone has 0.25


def test_the_plain_prompt_and_a_variant_of_one_study_are_two_modules(pytester):
    write_project(pytester, BOTH)
    result = optimize(pytester, "--mipro-json=r.json")
    assert result.ret == 0
    names = ["pipeline.parity", "pipeline.parity@acme"]
    (study,) = json.loads((pytester.path / "r.json").read_text())["optimizations"]
    assert sorted(module["name"] for module in study["modules"]) == names
    assert {spent["module"] for spent in study["spending"]} >= set(names)
    # What was measured is what is committed: the variant has a file, even where only the plain
    # prompt got better, or it would follow the new one unmeasured.
    assert (pytester.path / PROMPT).exists()
    assert (pytester.path / VARIANT).exists()
    gate = run(pytester)
    assert gate.ret == 0
    assert "differs from" not in flat(gate)
    dry = run(pytester, "--mipro-optimize", "--mipro-dry-run")
    assert f"modules {', '.join(names)}" in flat(dry)


def test_a_dry_run_after_a_gate_names_the_variant_and_its_model(pytester):
    write_project(pytester, SOURCE)
    assert run(pytester).ret == 0
    (pytester.path / ".mipro").mkdir(exist_ok=True)
    assert run(pytester).ret == 0
    dry = flat(run(pytester, "--mipro-optimize", "--mipro-dry-run"))
    assert "modules pipeline.parity@acme" in dry


def test_calls_of_a_variant_that_follows_the_plain_prompt_are_made_once(pytester):
    write_project(pytester, BOTH)
    (pytester.path / ".mipro").mkdir()
    assert run(pytester).ret == 0
    dry = flat(run(pytester, "--mipro-optimize", "--mipro-dry-run"))
    assert "modules pipeline.parity, pipeline.parity@acme" in dry
    assert "the last gate run made 40 distinct calls" in dry
    assert "baseline 40 calls" in dry
    assert "decision 32 calls" in dry  # a finalist has a prompt for each
    commit(pytester, "Look carefully at the last digit.", VARIANT)
    assert run(pytester).ret == 0
    assert "baseline 80 calls" in flat(run(pytester, "--mipro-optimize", "--mipro-dry-run"))


def test_two_files_that_gate_two_variants_are_two_studies(pytester):
    other = SOURCE.replace('"acme"', '"globex"').replace("test_acme", "test_globex")
    write_project(pytester, SOURCE, test_others=other)
    assert run(pytester).ret == 0
    assert optimize(pytester).ret == 0
    prompts = sorted(path.name for path in (pytester.path / "prompts").iterdir())
    assert prompts == ["pipeline.parity@acme.yaml", "pipeline.parity@globex.yaml"]
