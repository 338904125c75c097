"""`diff`: prompts between commits and the work tree, with scores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_project import PIPELINE, PROMPT, Run, write

from pytest_mipro.cli.repo.trees import Folder, Revision

LOCK = "tests/test_desk.mipro.json"
ROUTE = "desk/prompts/pipeline.route.yaml"


def git(folder: Path, *command: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, tag: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", tag)
    git(folder, "tag", tag)


@pytest.fixture
def repo(desk: Path, pytester: pytest.Pytester) -> Path:
    """A repo whose tag `one` has no prompt file, and `two` one with a lock."""
    git(desk, "init", "-q")
    commit(desk, "one")
    write(desk, ROUTE, PROMPT)
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "--mipro-update-lock")
    commit(desk, "two")
    return desk


def test_a_commit_that_a_shallow_clone_lacks_is_told_with_the_way_to_it(
    repo: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repo, "clone", "-q", "--depth=1", repo.as_uri(), "shallow")
    monkeypatch.chdir(repo / "shallow")
    ended = command("diff", "HEAD~1")
    assert ended.status == 2
    assert "'HEAD~1' can't be read with git" in ended.err
    assert "`git fetch --unshallow`" in ended.err


def test_between_a_commit_and_the_work_tree(repo: Path, command: Run) -> None:
    out = command("diff", "one").out
    assert f"--- a/{ROUTE}\n+++ b/{ROUTE}\n" in out
    assert "\n-  Choose the queue.\n" in out  # the docstring
    assert "\n+  Choose the queue, well.\n" in out
    assert f"{LOCK}\n  test_later: no lock → 1.000 (2 cases)\n" in out
    assert "  test_queue: no lock → 0.500 (2 cases)\n" in out
    assert "sum_up" not in out


def test_scores_of_other_prompts_are_named(repo: Path, command: Run) -> None:
    write(repo, ROUTE, PROMPT.replace("well", "fast"))
    out = command("diff", "two").out
    assert "-  Choose the queue, well.\n+  Choose the queue, fast.\n" in out
    assert "  test_queue: 0.500 (2 cases)\n" in out
    assert "  the work tree: the scores are of other prompts of pipeline.route" in out
    assert "  two: " not in out


def test_between_two_commits(repo: Path, command: Run) -> None:
    write(repo, "desk/pipeline.py", PIPELINE.replace("Say what", "Tell what"))
    assert "sum_up" not in command("diff", "one..two").out
    assert "no prompt changed between two and HEAD" in command("diff", "two..HEAD").out
    assert "+  Tell what the customer wants." in command("diff", "HEAD").out


def test_from_a_folder_of_a_larger_repo(
    repo: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repo, "desk/pytest.ini", "[pytest]\n")
    monkeypatch.chdir(repo / "desk")
    assert "+++ b/prompts/pipeline.route.yaml" in command("diff", "one").out


def test_a_commit_is_read_as_the_work_tree_is(
    repo: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = PIPELINE.replace("@lm_module\n", '@lm_module(prompt="../common/sum.yaml")\n')
    write(repo, "app/pytest.ini", "[pytest]\n")
    write(repo, "app/pipeline.py", shared)
    write(repo, "app/build/made.py", PIPELINE)
    write(repo, "common/sum.yaml", PROMPT.replace("route", "sum_up").partition("demos")[0])
    write(repo, "common/prompts/pipeline.route.yaml", PROMPT)
    (repo / "app/prompts").symlink_to("../common/prompts")
    commit(repo, "three")
    git(repo, "config", "color.ui", "always")
    git(repo, "config", "grep.fullName", "true")
    monkeypatch.chdir(repo / "app")
    assert "no prompt changed between three and the work tree" in command("diff", "three").out
    write(repo, "common/sum.yaml", (repo / "common/sum.yaml").read_text() + "  More.\n")
    write(repo, "common/prompts/pipeline.route.yaml", PROMPT.replace("well", "fast"))
    lines = command("diff", "three").out.splitlines()
    changes = [line for line in lines if line.startswith(("+", "-"))]
    assert changes == [
        "--- a/../common/sum.yaml",
        "+++ b/../common/sum.yaml",
        "+  More.",
        "--- a/prompts/pipeline.route.yaml",
        "+++ b/prompts/pipeline.route.yaml",
        "-  Choose the queue, well.",
        "+  Choose the queue, fast.",
    ]


def test_a_commit_has_the_sources_behind_links(repo: Path) -> None:
    (repo / "desk/again.py").symlink_to("pipeline.py")
    (repo / "desk/gone.py").symlink_to("nowhere.py")
    commit(repo, "three")
    for tree in (Folder(repo), Revision(repo, "three")):
        assert tree.paths(".py", "@lm_module") == ["desk/again.py", "desk/pipeline.py"]
        assert tree.read("desk/again.py") == PIPELINE
        assert tree.read("\ud800.yaml") is None


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="every path there is Unicode")
@pytest.mark.parametrize("folder", [b"caf\xe9", b"two\nlines"])
def test_a_commit_is_read_below_folders_of_any_name(repo: Path, folder: bytes) -> None:
    write(repo, f"{os.fsdecode(folder)}/more.py", PIPELINE)
    (repo / "link.yaml").symlink_to(ROUTE)
    commit(repo, "three")
    tree = Revision(repo, "three")
    [path] = [path for path in tree.paths(".py", "@lm_module") if path.endswith("more.py")]
    assert tree.read(path) == PIPELINE


@pytest.mark.parametrize("revision", ["none", "--output=x", "one..none"])
def test_an_unknown_commit_is_one_line(repo: Path, command: Run, revision: str) -> None:
    ended = command("diff", "--", revision)
    assert (ended.status, ended.out) == (2, "")
    assert "can't be read with git" in ended.err
    assert ended.err.count("\n") == 1
    assert not (repo / "x").exists()


def test_a_lock_of_another_release(repo: Path, command: Run) -> None:
    text = (repo / LOCK).read_text(encoding="utf-8")
    write(repo, LOCK, text.replace('"schema_version": 1', '"schema_version": 9'))
    assert (
        "the work tree: tests/test_desk.mipro.json:2: schema_version is 9"
        in command("diff", "two").out
    )
