"""Signatures of functions: names and places, how arguments bind, types, digests and labels."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from defined import of

from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError
from pytest_mipro.runtime.signature.function_signature import signature_of

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForTypes


def summarize(ticket: str, tone: str = "kind", /, words: int = 3, *, lang: str = "en") -> str:
    """Summarise the ticket."""


def made(prompt: str) -> Any:
    def inner(ticket: str) -> str:
        """Summarise."""

    return of(inner, prompt)


def test_names_and_places() -> None:
    signature = of(summarize)
    here = Path(__file__).resolve()
    assert signature.name == "test_function_signature.summarize"
    assert (
        signature.prompt_path == here.parent / "prompts" / "test_function_signature.summarize.yaml"
    )
    assert not signature.prompt_required
    nested_one = made("other/x.yaml")
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
