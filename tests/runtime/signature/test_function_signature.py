"""Functions that can be LM modules, those that can't, and how arguments are bound."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro import lm_module
from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError
from pytest_mipro.runtime.signature.function_signature import signature_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from decimal import Decimal as OnlyForTypes


def summarize(ticket: str, tone: str = "kind", /, words: int = 3, *, lang: str = "en") -> str:
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


def of(function: Callable[..., Any], prompt: str | None = None) -> Any:
    return signature_of(function, prompt=prompt, reasoning=False, optimize=True)


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
    with pytest.raises(
        ModuleDefinitionError, match=rf"test_function_signature\.py:{line}: LM module"
    ):
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

    assert of(quiet, "prompts/quiet.yaml").name == "test_function_signature.quiet"
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


def test_names_and_places() -> None:
    signature = of(summarize)
    here = Path(__file__).resolve()
    assert signature.name == "test_function_signature.summarize"
    assert (
        signature.prompt_path == here.parent / "prompts" / "test_function_signature.summarize.yaml"
    )
    assert not signature.prompt_required
    nested_one = of(nested(), "other/x.yaml")
    assert nested_one.prompt_path == here.parent / "other" / "x.yaml"
    assert nested_one.prompt_required
    assert signature.inputs == ("ticket", "tone", "words", "lang")


def test_arguments_bind_as_in_any_call() -> None:
    signature = of(summarize)
    full = {"ticket": "t", "tone": "kind", "words": 3, "lang": "en"}
    assert signature.bind(("t",), {}) == full
    assert signature.bind(("t", "dry", 5), {"lang": "de"}) == {
        "ticket": "t",
        "tone": "dry",
        "words": 5,
        "lang": "de",
    }
    assert list(signature.bind(("t",), {"lang": "de", "words": 1})) == list(full)


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "missing a required.* argument: 'ticket'"),
        (("t",), {"colour": "red"}, "unexpected keyword argument 'colour'"),
        (("t", "kind", 3, "en"), {}, "too many positional arguments"),
        ((), {"ticket": "t"}, "ticket"),
        ((object(),), {}, "argument 'ticket' of type object has no JSON form"),
        ((print,), {}, "'ticket' holds a function, and a module calls none; a pipeline with tools"),
        (([len],), {}, "'ticket' holds a function"),
        ((b"\xff",), {}, "argument 'ticket' of type bytes has no JSON form"),
    ],
)
def test_wrong_arguments_are_refused(args: Any, kwargs: Any, text: str) -> None:
    with pytest.raises(ModuleCallError, match=text) as caught:
        of(summarize).bind(args, kwargs)
    assert "test_function_signature.summarize" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_circular_arguments_are_refused() -> None:
    circular: list[Any] = []
    circular.append(circular)
    with pytest.raises(ModuleCallError, match="no JSON form"):
        of(summarize).bind((circular,), {})


def later_output(ticket: str) -> Later:
    """Reply."""


def never_output(ticket: str) -> list[Never]:  # type: ignore[name-defined]  # noqa: F821
    """Reply."""


def typed_input(price: OnlyForTypes) -> str:
    """Reply."""


later = of(later_output)


class Later(str):
    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler(str)


def test_forward_references_resolve_at_the_first_call() -> None:
    assert later.output.parse('"x"') == ("x", None)


def test_unknown_names_are_an_error_at_the_first_call() -> None:
    signature = of(never_output)
    with pytest.raises(ModuleDefinitionError, match=r"output type 'Never' is not defined; define"):
        signature.output  # noqa: B018


def test_inputs_may_have_types_that_only_a_type_checker_imports() -> None:
    assert of(typed_input).output.kind == "text"


def test_instructions_are_cleaned_and_never_filled_in() -> None:
    def braces(x: str) -> str:
        """Reply as {x} or {{x}}, 100 % %s.

            An indented line.\t
        $x
        """

    text = of(braces, "prompts/b.yaml").instruction
    assert text == "Reply as {x} or {{x}}, 100 % %s.\n\n    An indented line.\n$x"


def test_the_digest_follows_inputs_output_and_reasoning() -> None:
    def one(x: str) -> str:
        """Reply."""

    def two(y: str) -> str:
        """Reply."""

    def three(x: str) -> int:
        """Reply."""

    def four(x: str) -> str:
        """Reply in other words."""

    digests = [of(f, "prompts/f.yaml").digest() for f in (one, two, three, four)]
    thinking = signature_of(one, prompt="p.yaml", reasoning=True, optimize=True).digest()
    assert len({*digests[:3], thinking}) == 4
    assert digests[3] == digests[0]
    assert re.fullmatch("[0-9a-f]{16}", digests[0])


def made(prompt: str) -> Any:
    def inner(ticket: str) -> str:
        """Summarise."""

    return of(inner, prompt)


def test_modules_of_a_factory_are_told_apart_by_their_prompt_files() -> None:
    labels = [made(f"prompts/{name}.yaml").label for name in ("billing", "bugs")]
    name = "test_function_signature.inner"
    assert labels == [f"{name} (prompts/billing.yaml)", f"{name} (prompts/bugs.yaml)"]


def test_namesakes_in_other_files_are_told_apart_while_they_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        'from pytest_mipro import lm_module\n@lm_module\ndef ask(x: str) -> str:\n    """Say."""\n'
    )
    found = {}
    for folder in ("shop", "desk"):
        source = tmp_path / folder / "talk.py"
        source.parent.mkdir()
        source.write_text(text)
        spec = importlib.util.spec_from_file_location(f"{folder}_talk", source)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        found[folder] = module.ask.signature
        if folder == "shop":
            assert module.ask.signature.label == "talk.ask"
    assert found["shop"].label == "talk.ask (shop/prompts/talk.ask.yaml)"
    assert found["desk"].label == "talk.ask (desk/prompts/talk.ask.yaml)"
    labels = [found["shop"].of_variant(name).label for name in ("", "acme")]
    assert [each.label for each in found["shop"].called_as(labels)] == labels
    assert list(found["desk"].called_as([*labels, "own client"])) == []
    monkeypatch.delitem(sys.modules, "shop_talk")
    assert found["desk"].label == "talk.ask"
