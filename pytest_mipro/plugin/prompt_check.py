"""The prompt files that a test file leads to, read at collection: one error, not one a case."""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import ModuleDefinitionError
from pytest_mipro.runtime.context import is_project_file
from pytest_mipro.runtime.module import LMModule
from pytest_mipro.runtime.prompt_file import committed_prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def check_prompt_files(namespace: Mapping[str, Any]) -> None:
    """Read the prompt files of all LM modules that names lead to, from the names of a test file on.

    A name leads to the names of the file that a function, a class or an imported module is from,
    within the project. What a test finds in another way is read at its call. Raises
    PromptFileError.
    """
    for module in reachable_modules(namespace):
        with suppress(ModuleDefinitionError):  # told at the call, with all that is wrong there
            committed_prompt(module.signature)


def reachable_modules(namespace: Mapping[str, Any]) -> Iterator[LMModule[..., Any]]:
    """Yield the LM modules that names lead to, each once, the nearest first."""
    waiting, seen, found = [namespace], {id(namespace)}, set[object]()
    while waiting:
        for value in list(waiting.pop(0).values()):
            if isinstance(value, LMModule) and value.signature not in found:
                found.add(value.signature)
                yield value
            behind = _names_behind(value)
            if behind is not None and id(behind) not in seen:
                seen.add(id(behind))
                waiting.append(behind)


def _names_behind(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, LMModule):
        value = value.signature.function
    elif isinstance(value, type):
        value = sys.modules.get(value.__module__)
    if isinstance(value, FunctionType):
        value = inspect.unwrap(value)
        of_project = is_project_file(value.__code__.co_filename)
        return value.__globals__ if of_project else None
    if isinstance(value, ModuleType):
        return vars(value) if is_project_file(getattr(value, "__file__", None) or "") else None
    return None
