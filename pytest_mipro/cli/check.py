"""`check`: do prompts, locks and a built wheel agree? It reads files, and runs none."""

from __future__ import annotations

import argparse
import posixpath
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_mipro.cli.output import say
from pytest_mipro.cli.repo.prompts import Inventory, inventory_of
from pytest_mipro.cli.repo.sources import FoundPrompt, prompts_in, source_text
from pytest_mipro.cli.repo.trees import Folder, Wheel, project_root
from pytest_mipro.errors import ConfigurationError, UsageError
from pytest_mipro.plugin.lock.lock_file import SUFFIX, LockedModule
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import VARIANT_SIGN
from pytest_mipro.runtime.text.number_words import counted

_ANEW = "build it anew, or delete it if it is an old one"
_UPDATE = "`pytest --mipro-update-lock` locks today's scores"


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="whether prompts, locks and a built wheel agree; exit code 1 where they don't",
        description=__doc__,
    )
    parser.add_argument(
        "wheels", nargs="*", metavar="WHEEL", type=Path, help="a built wheel, to be compared too"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print each difference; return 1 if there is one."""
    root = project_root(Path.cwd())
    project = inventory_of(Folder(root))
    if not (project.found or project.locks or project.broken or project.more):
        raise ConfigurationError(
            "there is no LM module, no prompt text and no lock here; run this in your project's "
            "folder"
        )
    for source in project.unread:
        say(f"{source}; its prompts can't be seen")
    unreadable = _unreadable(project)
    problems = [*project.broken.values(), *unreadable.values()]
    problems += [*_lock_problems(project, unreadable), *_split_studies(project, root)]
    problems += [*_missing(project, unreadable), *_orphans(project)]
    for wheel in given.wheels:
        problems += _wheel_problems(project, Wheel(wheel), unreadable)
    for problem in problems:
        say(problem)
    names = [counted(len(_paths(project)), "prompt"), counted(len(project.locks), "lock")]
    compared = ", ".join(names + [f"the wheel {wheel.name}" for wheel in given.wheels])
    say(f"{compared}: {counted(len(problems), 'difference') if problems else 'all agree'}")
    return 1 if problems else 0


def _paths(project: Inventory) -> set[str]:
    locked = (place for modules in project.locked().values() for place in modules)
    return {*project.prompts, *locked}


def _unreadable(inventory: Inventory) -> dict[str, str]:
    """Return the errors of prompt files that can't be read, by their paths."""
    found = {}
    for place in sorted(_paths(inventory)):
        try:
            inventory.prompt(place)
        except UsageError as error:
            found[place] = str(error)
    return found


def _lock_problems(project: Inventory, unreadable: Container[str]) -> Iterator[str]:
    for path, lock in sorted(project.locks.items()):
        if lock.edited:
            lines = counted(lock.edited, "line")
            yield f"{path}: {lines} edited since it was written; restore the file, or {_UPDATE}"
        if not _has_tests(project, path):
            tests = f"{path.removesuffix(SUFFIX)}.py"
            gone = f"there is no {tests}, nor a study of its name"
            yield f"{path}: {gone}; restore the tests, give the lock their new name, or delete it"
        for place, module in sorted(project.locked()[path].items()):
            problem = "" if place in unreadable else _difference(project, place, module)
            if problem:
                yield f"{path}: {problem}"


def _split_studies(project: Inventory, root: Path) -> Iterator[str]:
    """Yield the named studies with two locks; that of one test file has its file beside it."""
    first: dict[tuple[Path, str], str] = {}
    sources = project.tree.paths(".py")
    for path in sorted([*project.locks, *project.broken]):
        if f"{path.removesuffix(SUFFIX)}.py" in sources:
            continue
        folder, name = posixpath.split(path)
        other = first.setdefault((project_root(root / folder), name), path)
        if other != path:
            yield (
                f"{path}: {other} is a lock of this study, too; keep the one that is right and "
                "delete the other, or rename a study that is another one"
            )


def _has_tests(project: Inventory, lock: str) -> bool:
    """Return whether there is a lock's test file, or one that may name its study."""
    tests = lock.removesuffix(SUFFIX)
    name = posixpath.basename(tests)
    if f"{tests}.py" in project.tree.paths(".py"):
        return True
    naming = project.tree.paths(".py", "study")
    return any(name in source_text(project.tree, path) for path in naming)


def _difference(project: Inventory, place: str, locked: LockedModule) -> str:
    now, place = project.prompt(place), project.followed(place)
    had_file, has_file = locked.prompt != locked.docstring, project.has_file(place)
    seen = place in project.tree.paths(place)  # beyond the tree, its module is not known either
    if seen and place not in project.prompts and not project.more:
        gone = f"{place} is of no module any more: {locked.name}, which it locked with it, is gone"
        return f"{gone}; move or rename it as the module, or delete it"
    if now is not None and now.digest() == locked.prompt:
        return ""
    if had_file and not has_file:
        return f"{place} is gone, the locked prompt of {locked.name}; restore it, or {_UPDATE}"
    if now is None:  # a docstring, of a module that only a run of its source may show
        gone = f"the module {locked.name}, which it locked, is in no source file any more"
        return "" if project.more else gone
    if has_file and not had_file:
        return f"{place} is new since it locked the docstring of {locked.name}; {_UPDATE}"
    what = place if has_file else f"the docstring of {locked.name}"
    return f"{what} changed since it was locked; {_UPDATE}"


def _missing(project: Inventory, unreadable: Container[str]) -> Iterator[str]:
    """Yield the prompts that need a file which is not there; what a lock misses is told there."""
    locked = {place for modules in project.locked().values() for place in modules}
    for prompt in project.found:
        place = prompt.prompt_path
        if not prompt.required or place in locked or place in unreadable:
            continue
        if not project.has_file(place):
            yield f"{prompt.source}: {place}, which {prompt.known_as} is read from, is not there"


def _orphans(project: Inventory) -> Iterator[str]:
    """Yield prompt files of modules, in the folders of known ones, that belong to none."""
    if project.more:
        return
    known = _paths(project)
    folders = {posixpath.dirname(place) for place in known}
    for path in project.tree.paths(".yaml", "schema_version:"):
        # Only then is it read: YAML of other tools may be of any encoding.
        if (
            posixpath.dirname(path) in folders
            and path not in known
            and _is_of_module(project, path)
        ):
            yield f"{path}: no LM module uses it; delete it, or rename it as its module"


def _is_of_module(project: Inventory, path: str) -> bool:
    try:
        return "\nmodule:" in f"\n{project.tree.read(path) or ''}"
    except ConfigurationError:
        return False


def _wheel_problems(project: Inventory, wheel: Wheel, unreadable: Container[str]) -> Iterator[str]:
    packaged = _packaged(project, wheel)
    if not packaged and project.found:
        yield f"{wheel.name}: it holds no source of this project that has a prompt"
    for prompt in sorted(project.found, key=lambda prompt: prompt.prompt_path):
        if prompt.source in packaged and prompt.prompt_path not in unreadable:
            problem = _packaging(project, prompt, wheel, packaged[prompt.source])
            if problem:
                yield f"{wheel.name}: {problem}"


def _packaged(project: Inventory, wheel: Wheel) -> dict[str, str]:
    """Return the file in the wheel of each source with prompts that is packaged.

    Of sources that might be one file, it is that of its text, else the one with the longest path.
    """
    sources = sorted({prompt.source for prompt in project.found}, key=len)
    found: dict[str, str] = {}
    for member in wheel.paths(".py"):
        meant = [source for source in sources if f"/{source}".endswith(f"/{member}")]
        same = [
            source
            for source in meant
            if source_text(project.tree, source) == source_text(wheel, member)
        ]
        for source in (same or meant)[:1]:
            if len(member) > len(found.get(source, "")):
                found[source] = member
    return found


def _packaging(project: Inventory, prompt: FoundPrompt, wheel: Wheel, member: str) -> str:
    """Return what is wrong with a prompt in the wheel, "" if it is the project's."""
    inside = prompts_in(source_text(wheel, member), member).prompts
    built = next((each for each in inside if each.known_as == prompt.known_as), None)
    if built is None:
        return f"its {member} has no {prompt.known_as}; {_ANEW}"
    place = prompt.prompt_path
    path = posixpath.join(posixpath.dirname(built.prompt_path), posixpath.basename(place))
    packed = Inventory(wheel, [replace(built, prompt_path=path)], {}, {}, more=False)
    for problem in _unreadable(packed).values():
        return f"it holds {problem}"
    here, there = project.prompt(place), packed.prompt(path)
    if project.has_file(place) and not packed.has_file(path):
        return (
            f"it lacks {path}, so {prompt.name} would {_without(prompt, there)}; "
            "include the file as data of the package"
        )
    if there is None or here is None or here.digest() == there.digest():
        return ""
    return f"its prompt of {prompt.name} is another one than {project.tree.name}'s; {_ANEW}"


def _without(prompt: FoundPrompt, docstring: Prompt | None) -> str:
    if VARIANT_SIGN in prompt.name:
        return f"run on the prompt of {prompt.name.partition(VARIANT_SIGN)[0]}"
    if prompt.required:
        return "be an error"
    return "run on its docstring" if docstring else "have no prompt"
