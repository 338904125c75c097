"""Check that a function can be an LM module."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from pytest_mipro.errors import ModuleDefinitionError


def check_shape(function: Callable[..., Any], *, nested_allowed: bool) -> None:
    """Refuse anything but a plain top-level function; raises ModuleDefinitionError.

    A nested function has no stable name, so it needs a prompt path of its own.
    """
    name = getattr(function, "__qualname__", None) or f"{function!r:.60}"
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}: " if code is not None else ""
    what = f"{place}@lm_module: {name}"
    if not inspect.isfunction(function):
        raise ModuleDefinitionError(
            f"{what} is a {type(function).__name__}, not a function; put @lm_module on "
            "a plain `def` or `async def` of the top level"
        )
    if hasattr(function, "__wrapped__"):
        raise ModuleDefinitionError(
            f"{what} is wrapped by another decorator, which would never run; put "
            "@lm_module directly above the `def`, below the other decorators"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ModuleDefinitionError(f"{what} is a generator; a module returns its output")
    outer, _, _ = name.rpartition(".")
    if outer.endswith("<locals>"):
        if not nested_allowed:
            raise ModuleDefinitionError(
                f"{what} is nested in a function, so its prompt has no stable name; "
                'move it to the top level or give `prompt="prompts/<name>.yaml"`'
            )
    elif outer or next(iter(inspect.signature(function).parameters), "") in ("self", "cls"):
        raise ModuleDefinitionError(
            f"{what} is a method; move it to the top level as a plain function"
        )


def check_annotations(function: Callable[..., Any], where: str) -> None:
    """Refuse missing annotations and `*args`; raises ModuleDefinitionError."""
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ModuleDefinitionError(f"{where}: {parameter} can't be rendered; name each input")
        if parameter.annotation is parameter.empty:
            raise ModuleDefinitionError(
                f"{where}: parameter {parameter.name!r} has no annotation; write e.g. "
                f"`{parameter.name}: str`"
            )
    if signature.return_annotation is signature.empty:
        raise ModuleDefinitionError(f"{where}: the output has no annotation; write e.g. `-> str`")


def check_body(function: Callable[..., Any], where: str) -> None:
    """Refuse a body with code, which would never run; raises ModuleDefinitionError.

    A docstring, `...`, `pass` and `raise NotImplementedError` are fine. Nothing is checked where
    the source can't be read (a console, `exec`).
    """
    for statement in _body(function):
        if not _is_empty(statement):
            code = ast.unparse(statement).partition("\n")[0]
            raise ModuleDefinitionError(
                f"{where}: its body has `{code:.60}`, which would never run, since the model "
                "replies instead; keep only the docstring and move the code into another function"
            )


def _body(function: Callable[..., Any]) -> list[ast.stmt]:
    try:
        source = inspect.getsource(function)
        if source[:1].isspace():  # a nested function: its docstring may be indented less than it
            source = f"if True:\n{source}"
        nodes = ast.walk(ast.parse(source))
    except (OSError, SyntaxError, TypeError, ValueError):
        return []
    found = next((n for n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))), None)
    return found.body if found is not None and found.name == function.__name__ else []


def _is_empty(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass)
