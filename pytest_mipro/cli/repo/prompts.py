"""The prompts of a tree, of its LM modules and prompt texts, and its locks."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pytest_mipro.cli.repo.sources import MAKERS, FoundPrompt, prompts_in, source_text
from pytest_mipro.cli.repo.trees import Tree
from pytest_mipro.errors import UsageError
from pytest_mipro.plugin.lock.lock_file import SUFFIX, Lock, LockedModule, parse_lock
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import PROMPT_SUFFIXES, parse_prompt
from pytest_mipro.runtime.signature.signature import (
    VARIANT_SIGN,
    is_variant,
    plain_file,
    variant_of_file,
)


@dataclass(frozen=True)
class Inventory:
    """What a tree has: the prompts that its sources name, and locks by their paths.

    `broken` holds the errors of locks that can't be read, `unread` what is wrong with sources that
    are no Python; `more` tells that there may be prompts which these sources would show, or only
    a run.
    """

    tree: Tree
    found: Sequence[FoundPrompt]
    locks: Mapping[str, Lock]
    broken: Mapping[str, str]
    more: bool
    unread: Sequence[str] = ()

    @cached_property
    def prompts(self) -> Mapping[str, FoundPrompt]:
        """The prompts by the path of their file; of a text that several sources use, one."""
        return {each.prompt_path: each for each in self.found}

    def has_file(self, path: str) -> bool:
        """Return whether there is a prompt file at the path."""
        return self.tree.read(path) is not None

    def prompt(self, path: str) -> Prompt | None:
        """Return the prompt whose file is, or would be, at the path; None where there is none.

        Without a file a variant has the plain prompt, and a module its docstring. Raises
        PromptFileError.
        """
        path = self.followed(path)
        module, text = self.prompts.get(path), self.tree.read(path)
        if text is not None:
            return _in_order(parse_prompt(text, Path(path)), module)
        return Prompt(module.instruction) if module and module.instruction else None

    def followed(self, path: str) -> str:
        """Return the path itself; of a variant without a file, that of the plain prompt."""
        return path if self.has_file(path) else plain_file(Path(path)).as_posix()

    def locked(self) -> Mapping[str, Mapping[str, LockedModule]]:
        """Return the modules of each lock, by the path of their prompt."""
        return {
            path: {prompt_place(path, module): module for module in lock.modules}
            for path, lock in self.locks.items()
        }


def inventory_of(tree: Tree) -> Inventory:
    """Return the prompts and locks of a tree."""
    sources = {
        path: prompts_in(source_text(tree, path), path) for path in tree.paths(".py", *MAKERS)
    }
    plain = [prompt for source in sources.values() for prompt in source.prompts]
    locks: dict[str, Lock] = {}
    broken: dict[str, str] = {}
    for path in tree.paths(SUFFIX):
        try:
            locks[path] = parse_lock(tree.read(path) or "", Path(path))
        except UsageError as error:  # also that it is no UTF-8
            broken[path] = str(error)
    unread = [f"{path}:{each.problem}" for path, each in sources.items() if each.problem]
    more = bool(unread) or any(source.more for source in sources.values())
    return Inventory(tree, (*plain, *_variants(tree, plain)), locks, broken, more, unread)


def _variants(tree: Tree, prompts: Iterable[FoundPrompt]) -> Iterator[FoundPrompt]:
    """Yield the variants that have a prompt file."""
    plain = defaultdict[str, list[FoundPrompt]](list)
    for prompt in prompts:
        plain[prompt.prompt_path].append(prompt)
    for path in (path for suffix in PROMPT_SUFFIXES for path in tree.paths(suffix)):
        variant = variant_of_file(Path(path))
        if is_variant(variant):
            for prompt in plain.get(plain_file(Path(path)).as_posix(), ()):
                name = f"{prompt.name}{VARIANT_SIGN}{variant}"
                yield replace(prompt, name=name, prompt_path=path)


def prompt_place(lock: str, module: LockedModule) -> str:
    """Return the path, from the root of the tree, of the prompt that a lock's entry is of."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(lock), module.prompt_path))


def _in_order(prompt: Prompt, module: FoundPrompt | None) -> Prompt:
    """Return the prompt with the inputs of its demos in the module's order, as it is run."""
    if module is None:
        return prompt

    def ordered(demo: Demo) -> Demo:
        if set(demo.inputs) != set(module.inputs):
            return demo
        return replace(demo, inputs={name: demo.inputs[name] for name in module.inputs})

    return replace(prompt, demos=tuple(map(ordered, prompt.demos)))
