"""Check at collection the prompt files that a test file uses: one error, not one for each case."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any

from pytest_mipro.errors import ModuleDefinitionError
from pytest_mipro.runtime.calls.stack import is_project_file
from pytest_mipro.runtime.module import LMModule
from pytest_mipro.runtime.prompt_text import PromptText
from pytest_mipro.runtime.prompts.committed_prompts import read_if_there, with_variants
from pytest_mipro.runtime.signature.signature import Signature


def check_prompt_files(namespace: Mapping[str, Any], read: set[Signature]) -> None:
    """Read the prompt files that names lead to, from the names of a test file on.

    They are those of LM modules and prompt texts, and of their variants. A name leads to the names
    of the file that a function, a class or an imported module is from, within the project. What a
    test finds in another way is read at its call, and a file that is required but missing is told
    there too: a module that no test calls may not have its own yet. `read` are the modules whose
    files were found good before; it grows. Raises PromptFileError.
    """
    for module in reachable_modules(namespace):
        if module.signature not in read:
            with suppress(ModuleDefinitionError):  # told at the call, with all that is wrong there
                for signature in with_variants(module.signature):
                    read_if_there(signature)
            read.add(module.signature)


def reachable_modules(namespace: Mapping[str, Any]) -> Iterator[LMModule[..., Any] | PromptText]:
    """Yield the LM modules and prompt texts that names lead to, each once, the nearest first."""
    waiting, seen, found = [namespace], {id(namespace)}, set[object]()
    while waiting:
        for value in list(waiting.pop(0).values()):
            if _is(value, (LMModule, PromptText)) and value.signature not in found:
                found.add(value.signature)
                yield value
            behind = _names_behind(value)
            if behind is not None and id(behind) not in seen:
                seen.add(id(behind))
                waiting.append(behind)


def _names_behind(value: Any) -> Mapping[str, Any] | None:
    if _is(value, LMModule):
        value = value.signature.function
    elif _is(value, type):
        value = sys.modules.get(str(value.__module__))
    if _is(value, FunctionType):
        value = _innermost(value)
        of_project = is_project_file(value.__code__.co_filename)
        return value.__globals__ if of_project else None
    if _is(value, ModuleType):
        return vars(value) if is_project_file(_file_of(value)) else None
    return None


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    # Not `isinstance`, which asks the value for its class: proxies, as of lazy settings or of a
    # web framework's request, would be set up by that, or raise.
    return issubclass(type(value), kind)


def _innermost(function: FunctionType) -> FunctionType:
    """Return the function under decorators, as far down as there are functions."""
    with suppress(ValueError):  # they wrap each other in a circle
        inner = inspect.unwrap(function, stop=lambda f: not _is(_wrapped_by(f), FunctionType))
        return inner if isinstance(inner, FunctionType) else function
    return function


def _wrapped_by(function: Any) -> Any:
    return vars(function).get("__wrapped__")


def _file_of(module: ModuleType) -> str:
    file = vars(module).get("__file__")
    return file if isinstance(file, str) else ""
