"""Functions that can be LM modules, and those that can't, each refused in one line."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from defined import of

from pytest_mipro import lm_module
from pytest_mipro.errors import ModuleDefinitionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


def summarize(ticket: str) -> str:
    """Summarise the ticket."""


class Desk:
    def method(self, ticket: str) -> str:
        """Summarise."""

    @staticmethod
    def static(ticket: str) -> str:
        """Summarise."""


def without_output(ticket: str):
    """Summarise."""


def without_input(ticket) -> str:
    """Summarise."""


def without_docstring(ticket: str) -> str: ...


def blank_docstring(ticket: str) -> str:
    """ """


def many(*tickets: str) -> str:
    """Summarise."""


def named(**tickets: str) -> str:
    """Summarise."""


def generator(ticket: str) -> Iterator[str]:
    """Summarise."""
    yield ticket


async def async_generator(ticket: str) -> AsyncIterator[str]:
    """Summarise."""
    yield ticket


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


async def awaited() -> str:
    """Reply."""


def nested() -> Callable[..., str]:
    def inner(ticket: str) -> str:
        """Summarise."""

    return inner


def untyped_output(ticket: str) -> Any:
    """Summarise."""


def nothing(ticket: str) -> None:
    """Summarise."""


def raw(ticket: str) -> bytes:
    """Summarise."""


def unsupported(ticket: str) -> Path | re.Match[str] | Desk:
    """Summarise."""


def broken_annotation(ticket: str) -> dict[str, 1 / 0]:  # type: ignore[valid-type]
    """Summarise."""


def attribute_annotation(ticket: str) -> re.NoSuchThing:  # type: ignore[name-defined]
    """Summarise."""


def test_a_prompt_file_makes_a_docstring_unnecessary(tmp_path: Path) -> None:
    path = tmp_path / "own.md"
    path.write_text("Summarise.")
    assert of(without_docstring, str(path)).instruction == ""
    path.unlink()
    with pytest.raises(ModuleDefinitionError, match=rf"and no prompt file {path}; write one"):
        of(without_docstring, str(path))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (without_output, "the output has no annotation; write e.g. `-> str`"),
        (without_input, "parameter 'ticket' has no annotation; write e.g. `ticket: str`"),
        (without_docstring, "it has no docstring"),
        (blank_docstring, "it has no docstring"),
        (many, "*tickets: 'str' can't be rendered; name each input"),
        (named, "**tickets: 'str' can't be rendered"),
        (generator, "generator is a generator"),
        (async_generator, "async_generator is a generator"),
        (Desk.method, "Desk.method is a method"),
        (Desk.static, "Desk.static is a method"),
        (Desk.__dict__["static"], "is a staticmethod, not a function"),
        (Desk, "Desk is a type, not a function"),
        (len, "len is a builtin_function_or_method, not a function"),
        (functools.partial(summarize, "x"), "is a partial, not a function"),
        (awaited(), "awaited is a coroutine, not a function"),
        ("openai/gpt-4o", "'openai/gpt-4o' is a str, not a function"),
        (lambda ticket: ticket, "nested in a function|no annotation"),
        (logged(summarize), "wrapped by another decorator"),
        (nested(), "nested in a function"),
        (untyped_output, "the output type Any can't be checked; use str, Literal"),
        (nothing, "the output type NoneType can't be checked"),
        (raw, "the output type bytes can't be checked"),
        (unsupported, "has no JSON schema"),
        (broken_annotation, "can't be read (ZeroDivisionError"),
        (attribute_annotation, "can't be read (AttributeError"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_functions_are_refused_in_one_line(function: Any, text: str) -> None:
    with pytest.raises(ModuleDefinitionError) as caught:
        of(function)
    if inspect.iscoroutine(function):
        function.close()
    message = str(caught.value)
    assert "\n" not in message
    assert any(part in message for part in text.split("|"))


@pytest.mark.parametrize("wrong", [generator, Desk.method, Desk.__dict__["static"], nested()])
def test_a_wrong_shape_is_told_with_file_and_line(wrong: Any) -> None:
    code = getattr(wrong, "__func__", wrong).__code__
    with pytest.raises(ModuleDefinitionError) as caught:
        of(wrong)
    assert str(caught.value).startswith(f"{__file__}:{code.co_firstlineno}: @lm_module: ")


def test_definition_errors_name_the_line() -> None:
    line = without_output.__code__.co_firstlineno
    with pytest.raises(ModuleDefinitionError, match=rf"test_definition\.py:{line}: LM module"):
        of(without_output)


BODIES = {
    "return": "return ticket",
    "print": "print(ticket)",
    "after a pass": "pass\nreturn 'x'",
    "other error": "raise ValueError",
    "assert": "assert ticket",
    "nested": "if ticket:\n    return 'x'",
}


def module_file(tmp_path: Path, body: str, header: str = "", prefix: str = "") -> Path:
    path = tmp_path / "desk.py"
    lines = textwrap.indent(body, "    ")
    path.write_text(
        f'{header}\n@lm_module\n{prefix}def reply(ticket: str) -> str:\n    """Reply."""\n{lines}\n'
    )
    return path


def executed(path: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {"lm_module": lm_module, "__name__": path.stem}
    exec(compile(path.read_text(), path, "exec"), namespace)
    return namespace


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_would_never_run_is_refused(tmp_path: Path, body: str) -> None:
    with pytest.raises(ModuleDefinitionError, match="which would never run"):
        executed(module_file(tmp_path, body))


@pytest.mark.parametrize("prefix", ["", "async "])
@pytest.mark.parametrize(
    "body", ["", "...", "pass", "raise NotImplementedError", 'raise NotImplementedError("no")']
)
def test_a_body_that_does_nothing_is_allowed(tmp_path: Path, body: str, prefix: str) -> None:
    module = executed(module_file(tmp_path, body, prefix=prefix))["reply"]
    assert module.signature.instruction == "Reply."


def test_a_nested_body_is_read_whatever_its_indentation(tmp_path: Path) -> None:
    def quiet(ticket: str) -> str:
        """Reply
        in one line."""

    def busy(ticket: str) -> str:
        """Reply
        in one line."""
        return ticket

    assert of(quiet, "prompts/quiet.yaml").name == "test_definition.quiet"
    with pytest.raises(ModuleDefinitionError, match="`return ticket`"):
        of(busy, "prompts/busy.yaml")


def test_without_source_the_body_is_not_checked() -> None:
    namespace: dict[str, Any] = {"lm_module": lm_module}
    exec('@lm_module\ndef f(x: str) -> str:\n    """Reply."""\n    return x', namespace)
    assert namespace["f"].signature.instruction == "Reply."


def test_stripped_docstrings_leave_modules_importable(tmp_path: Path) -> None:
    path = module_file(tmp_path, "", "from pytest_mipro import lm_module")
    path.write_text(path.read_text() + "\nprint(repr(reply.signature.instruction))\n")
    code = [sys.executable, "-OO", str(path)]
    assert subprocess.run(code, capture_output=True, text=True, check=True).stdout == "''\n"


@pytest.mark.parametrize(("indent", "refused"), [("", True), ("    ", False)])
def test_a_merge_conflict_in_a_docstring_is_refused_and_an_example_of_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: str, *, refused: bool
) -> None:
    lines = ["<<<<<<< HEAD", "    Be brief.", "=======", "    Be kind.", ">>>>>>> x"]
    doc = "\n".join(indent + line for line in lines)
    source = f'def merged(ticket: str) -> str:\n    """Summarise.\n\n{doc}\n    """\n'
    name = f"merged_{refused}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    function = importlib.import_module(name).merged
    if not refused:
        lm_module(model="m")(function)
        return
    with pytest.raises(ModuleDefinitionError, match="its docstring has an unresolved merge conf"):
        lm_module(model="m")(function)
