"""`diff`: prompts between commits, with their scores from the locks. It reads files, and runs none.

Without a second commit, the work tree is compared.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

from pytest_mipro.cli.output import say
from pytest_mipro.cli.repo.prompts import Inventory, inventory_of
from pytest_mipro.cli.repo.trees import Folder, Revision, Tree, project_root
from pytest_mipro.errors import PromptFileError
from pytest_mipro.plugin.optimise.records.refused_finalist import prompt_diff
from pytest_mipro.runtime.prompts.prompt_file import file_text
from pytest_mipro.runtime.text.number_words import counted


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff", help="prompts between commits, with their scores", description=__doc__
    )
    parser.add_argument("revision", metavar="REV", help="a commit, or two as REV..REV")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the changed prompts and the scores of the studies that lock them."""
    root = project_root(Path.cwd())
    first, dots, second = given.revision.partition("..")
    trees: tuple[Tree, Tree] = (
        Revision(root, first or "HEAD"),
        Revision(root, second or "HEAD") if dots else Folder(root),
    )
    before, after = map(inventory_of, trees)
    changed = _show_prompts(before, after)
    for path in sorted({*before.locks, *after.locks, *before.broken, *after.broken}):
        _show_scores(path, before, after)
    if not changed:
        say(f"no prompt changed between {before.tree.name} and {after.tree.name}")
    return 0


def _show_prompts(before: Inventory, after: Inventory) -> int:
    """Print the diff of each prompt that changed; return how many did."""
    count = 0
    places = {*before.prompts, *after.prompts}
    for inventory in (before, after):
        places |= {place for modules in inventory.locked().values() for place in modules}
    for place in sorted(places):
        prompt = after.prompts.get(place) or before.prompts.get(place)
        name = prompt.name if prompt else Path(place).stem
        lines = prompt_diff(place, *(_text(side, place, name) for side in (before, after)))
        if lines:
            count += 1
            say("\n".join(lines))
            say()
    return count


def _text(side: Inventory, place: str, name: str) -> str:
    """Return a prompt as the text of its file, also where it is a docstring; "" without one."""
    try:
        prompt = side.prompt(place)
    except PromptFileError:  # it may be of another release: what stands there tells enough
        return side.tree.read(place) or ""
    return file_text(Path(place), name, prompt) if prompt else ""


def _show_scores(path: str, before: Inventory, after: Inventory) -> None:
    sides = [_means(side, path) for side in (before, after)]
    tests = sorted({test for side in sides for test in side})
    if not tests and not any(path in side.broken for side in (before, after)):
        return
    say(path)
    for test in tests:
        old, new = (side.get(test, "no lock") for side in sides)
        say(f"  {test}: {old}" if old == new else f"  {test}: {old} → {new}")
    for side in (before, after):
        note = side.broken.get(path) or _stale(side, path)
        if note:
            say(f"  {side.tree.name}: {note}")


def _means(side: Inventory, path: str) -> dict[str, str]:
    """Return the mean score of each test of a lock, as text."""
    scores = defaultdict[str, list[float]](list)
    for case in side.locks[path].cases if path in side.locks else ():
        if case.score is not None:
            scores[case.test].append(case.score)
    return {
        test: f"{fmean(all_):.3f} ({counted(len(all_), 'case')})" for test, all_ in scores.items()
    }


def _stale(side: Inventory, path: str) -> str:
    """Return which prompts of a lock are not those that its scores were measured with."""
    names = []
    for place, module in side.locked().get(path, {}).items():
        try:
            prompt = side.prompt(place)
        except PromptFileError:
            prompt = None
        if prompt is None or prompt.digest() != module.prompt:
            names.append(module.name)
    changed = ", ".join(sorted(names))
    return f"the scores are of other prompts of {changed} than those above" if names else ""
