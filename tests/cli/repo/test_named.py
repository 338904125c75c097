"""LM modules and prompt texts, found by what a user calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_project import PROMPT, write

from pytest_mipro.cli.repo.named import asked, prompts_named
from pytest_mipro.errors import ConfigurationError

TRIAGE = "desk/prompts/triage.md"


@pytest.fixture(autouse=True)
def _import_path(pytester: pytest.Pytester) -> None:
    pytester.syspathinsert()


def names(root: Path, target: str = "") -> list[str]:
    return [asked(each).label for each in prompts_named(root, target)]


def test_texts_by_name_path_variant_and_source(own: Path) -> None:
    write(own, "desk/prompts/triage@acme.md", "For Acme.\n")
    for target in ("triage.md", "prompts/triage.md", TRIAGE):
        assert names(own, target) == ["triage.md"]
    for target in ("triage.md@acme", "triage@acme.md", "desk/prompts/triage@acme.md"):
        assert names(own, target) == ["triage.md@acme"]
    assert names(own, "desk/own.py") == ["triage.md", "triage.md@acme", "short.yaml"]


def test_a_variant_without_a_file_follows_the_plain_prompt(own: Path, desk: Path) -> None:
    for target in ("triage.md@other", "triage@other.md", "desk/prompts/triage@other.md"):
        (found,) = prompts_named(own, target)
        assert (asked(found).full_name, asked(found).variant) == ("triage.md@other", "other")
    assert names(desk, "route@other") == ["pipeline.route@other"]
    for target in ("rout@other", "route@../other", "route@"):
        with pytest.raises(ConfigurationError, match="is no LM module"):
            prompts_named(desk, target)


def test_a_text_whose_path_the_code_decides(own: Path) -> None:
    made = "from pytest_mipro import prompt_text as text\nX = text('prompts/' + 'x.md')\n"
    write(own, "factory.py", made)
    write(own, "prompts/x.md", "Be kind.\n")
    assert names(own, "prompts/x.md") == ["x.md"]
    assert names(own, "factory.py") == ["x.md"]


def test_texts_of_one_name_are_told_apart(own: Path) -> None:
    write(own, "other.py", "import pytest_mipro\npytest_mipro.prompt_text('prompts/triage.md')\n")
    write(own, "prompts/triage.md", "Another one.\n")
    with pytest.raises(ConfigurationError, match=f"means several: {TRIAGE}, prompts/triage.md; gi"):
        prompts_named(own, "triage.md")
    label, other, _ = sorted(names(own), key=len, reverse=True)
    assert (label, other) == (f"triage.md ({TRIAGE})", "triage.md (prompts/triage.md)")
    for target in (TRIAGE, label):
        assert [asked(each).prompt_path for each in prompts_named(own, target)] == [own / TRIAGE]


def test_a_whole_name_that_is_the_end_of_another(desk: Path) -> None:
    source = (desk / "desk/pipeline.py").read_text(encoding="utf-8")
    write(desk, "app/desk/pipeline.py", source)
    with pytest.raises(ConfigurationError, match=r": app.desk.pipeline.route, desk.pipeline.r"):
        prompts_named(desk, "route")
    for target in ("desk.pipeline.route", "desk.pipeline:route", "desk.pipeline.route@other"):
        (found,) = prompts_named(desk, target)
        assert asked(found).prompt_path.is_relative_to(desk / "desk")


def test_a_text_that_two_sources_use_is_one(own: Path) -> None:
    write(
        own,
        "desk/more.py",
        "from pytest_mipro import prompt_text\nprompt_text('prompts/triage.md')",
    )
    assert names(own) == ["triage.md", "short.yaml"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("triag.md", "'triag.md' is no LM module and no prompt text; did you mean 'triage.md'"),
        ("none.txt", "is no LM module and no prompt text; there are short.yaml, triage.md"),
        ("notes.md", "'notes.md' is a prompt of no source; "),
        ("none.py", "none.py: there is no such file"),
    ],
)
def test_what_is_not_there_is_one_line(own: Path, target: str, said: str) -> None:
    write(own, "notes.md", "Notes.\n")
    write(own, "desk/prompts/pipeline.route.yaml", PROMPT)
    with pytest.raises(ConfigurationError, match=said):
        prompts_named(own, target)


@pytest.mark.parametrize("target", ["", "route"])
def test_a_source_that_is_no_python_is_named(tmp_path: Path, target: str) -> None:
    write(tmp_path, "broken.py", "from pytest_mipro import lm_module\n@lm_module\ndef (\n")
    with pytest.raises(ConfigurationError, match=r"; prompts of broken\.py:3: invalid syntax, can"):
        prompts_named(tmp_path, target)
