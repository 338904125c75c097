"""Where prompts may be written."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.lock.lock_file import Lock, LockedModule
from pytest_mipro.plugin.lock.prompt_targets import check_conflicts, check_targets, work_tree
from pytest_mipro.runtime.signature.signature import Signature

SOURCE = '''
from pytest_mipro import lm_module

@lm_module
def first(text: str) -> str:
    """One."""

@lm_module
def second(text: str) -> str:
    """Two."""
'''


@pytest.fixture
def signatures(tmp_path: Path) -> list[Signature]:
    source = tmp_path / "repo/src/pipeline.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE)
    return load(source)


def load(source: Path) -> list[Signature]:
    spec = importlib.util.spec_from_file_location("pipeline", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [module.first.signature, module.second.signature]


def refusal(signatures: list[Signature], folder: Path) -> str:
    with pytest.raises(ConfigurationError) as error:
        check_targets(signatures, folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_prompts_beside_their_source_are_fine(signatures, tmp_path):
    check_targets([*signatures, signatures[0]], tmp_path / "repo")


def test_without_version_control_the_ini_folder_bounds_them(signatures, tmp_path):
    (tmp_path / "repo/tests").mkdir()
    assert "is outside the project" in refusal(signatures, tmp_path / "repo/tests")


@pytest.mark.parametrize("name", [".git", ".hg", ".svn"])
def test_the_work_tree_bounds_them_where_there_is_one(signatures, tmp_path, name):
    (tmp_path / "repo/tests").mkdir()
    (tmp_path / "repo" / name).mkdir()
    check_targets(signatures, tmp_path / "repo/tests")
    assert work_tree(tmp_path / "repo/tests") == tmp_path / "repo"


def test_a_worktrees_git_file_counts(tmp_path):
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    (tmp_path / "tests").mkdir()
    assert work_tree(tmp_path / "tests") == tmp_path


def test_installed_packages_are_not_written(tmp_path):
    source = tmp_path / "repo/.venv/lib/site-packages/pipeline.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE)
    assert "belongs to an installed package" in refusal(load(source), tmp_path / "repo")


def test_a_link_must_not_leave_the_tree(signatures, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "repo/src/prompts").symlink_to(outside)
    text = refusal(signatures, tmp_path / "repo")
    assert f"{outside}" in text
    assert "is outside the project" in text


def test_a_prompt_inside_the_version_control_is_refused(signatures, tmp_path):
    hooks = tmp_path / "repo/.git/hooks"
    hooks.mkdir(parents=True)
    moved = replace(signatures[0], prompt_path=hooks / "pre-commit.yaml")
    assert "inside its version control" in refusal([moved], tmp_path / "repo")


def test_a_link_within_the_tree_is_fine(signatures, tmp_path):
    (tmp_path / "repo/shared").mkdir()
    (tmp_path / "repo/src/prompts").symlink_to(tmp_path / "repo/shared")
    check_targets(signatures, tmp_path / "repo")


def test_two_modules_on_one_path_whatever_the_case(signatures, tmp_path):
    first, second = signatures
    upper = replace(second, prompt_path=first.prompt_path.with_name("Pipeline.FIRST.yaml"))
    text = refusal([first, upper], tmp_path / "repo")
    assert "also belongs to 'pipeline.first'" in text
    assert "'pipeline.second'" in text


def test_two_variants_that_only_case_tells_apart(signatures, tmp_path):
    variants = [signatures[0].of_variant(name) for name in ("acme", "ACME")]
    text = refusal(variants, tmp_path / "repo")
    assert "also belongs to 'pipeline.first@acme'" in text
    assert text.endswith("give one variant another name")
    check_targets([*signatures, *(each.of_variant("acme") for each in signatures)], tmp_path)


def test_a_module_imported_twice_is_one(signatures, tmp_path):
    check_targets([*signatures, *load(tmp_path / "repo/src/pipeline.py")], tmp_path / "repo")


def test_a_path_that_is_a_folder_or_lies_under_a_file(signatures, tmp_path):
    prompts = tmp_path / "repo/src/prompts"
    prompts.write_text("a file")
    assert "is not a folder" in refusal(signatures, tmp_path / "repo")
    prompts.unlink()
    signatures[0].prompt_path.mkdir(parents=True)
    assert "is not a file" in refusal(signatures, tmp_path / "repo")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_read_only_places(signatures, tmp_path):
    prompts = tmp_path / "repo/src/prompts"
    prompts.mkdir(mode=0o500)
    assert "no permission" in refusal(signatures, tmp_path / "repo")


def lock_of(*modules: tuple[str, bool]) -> Lock:
    return Lock(
        "s",
        0,
        1,
        modules=tuple(
            LockedModule("m.f", path, "", "", "", "", {}, frozen) for path, frozen in modules
        ),
    )


def test_two_studies_on_one_prompt_are_refused(tmp_path):
    locks = {
        tmp_path / "a/x.mipro.json": lock_of(("../prompts/m.f.yaml", False)),
        tmp_path / "b/y.mipro.json": lock_of(("../Prompts/m.f.yaml", False)),
    }
    with pytest.raises(
        ConfigurationError, match=r"y.mipro.json: module 'm.f' also belongs to .*x.mipro"
    ) as e:
        check_conflicts(locks)
    assert "\n" not in str(e.value)


def test_frozen_and_different_modules_are_no_conflict(tmp_path):
    check_conflicts(
        {
            tmp_path / "x.mipro.json": lock_of(("p/m.f.yaml", False), ("p/judge.yaml", True)),
            tmp_path / "y.mipro.json": lock_of(("p/m.g.yaml", False), ("p/judge.yaml", True)),
        }
    )
