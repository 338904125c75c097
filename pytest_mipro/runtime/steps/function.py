"""A function under `@step`: what it is called, what it is called with, and what can't be one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_mipro.errors import ModuleDefinitionError
from pytest_mipro.runtime.calls.context import CallContext, context_of, running_context
from pytest_mipro.runtime.calls.steps import step_label


@dataclass(frozen=True)
class Step:
    """A decorated function with its qualified name, and whether its result is kept."""

    function: Callable[..., Any]
    name: str
    cache: bool

    def context(self) -> CallContext | None:
        """Return the context of a call, None where nothing is to be traced or kept.

        Raises DetachedCallError for a step with a kept result where a case's context is missing.
        """
        if self.cache:
            return context_of(step_label(self.name))
        context = running_context()
        return context if context is not None and context.trace is not None else None

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments by name, defaults included; None where Python refuses them."""
        try:
            bound = _signature(self.function).bind(*args, **kwargs)
        except TypeError:
            return None
        bound.apply_defaults()
        parameters, given = bound.signature.parameters, dict(bound.arguments)
        for name, value in given.items():
            if parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                given[name] = list(value)
        return given


_signature = functools.lru_cache(inspect.signature)


def check_function(function: Any, *, cache: bool) -> None:
    """Raise ModuleDefinitionError for what can't be a step."""
    name = getattr(function, "__qualname__", None) or f"{function!r:.60}"
    code = getattr(function, "__code__", None)
    what = f"{code.co_filename}:{code.co_firstlineno}: @step: {name}" if code else f"@step: {name}"
    if not inspect.isfunction(function):
        raise ModuleDefinitionError(
            f"{what} is a {type(function).__name__}, not a function; put @step on a plain `def` or "
            "`async def`, below other decorators"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ModuleDefinitionError(f"{what} is a generator; a step returns its output")
    if cache and hasattr(function, "__wrapped__"):
        raise ModuleDefinitionError(
            f"{what} is wrapped by another decorator, whose code the key of its result would not "
            "hold; put @step(cache=True) directly above the `def`"
        )
    if cache and function.__closure__:
        outer = ", ".join(function.__code__.co_freevars)
        raise ModuleDefinitionError(
            f"{what} uses {outer} of the function around it, which the key of its result would not "
            "hold; pass it as an argument, or leave cache=True out"
        )
