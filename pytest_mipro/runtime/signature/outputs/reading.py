"""Read the answer of a reply by the output format: a text, a label, a number or a JSON value."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from typing import Any

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.answers.json_reply import fitting_json, json_values, scalars
from pytest_mipro.runtime.signature.answers.labels import YES_NO, LabelReader
from pytest_mipro.runtime.signature.answers.numbers import NumberReader
from pytest_mipro.runtime.signature.answers.plain_lists import (
    bracketed_items,
    bullets,
    inline_items,
    labelled_fields,
)
from pytest_mipro.runtime.signature.answers.reply_text import bare, only_fence, quoted, unfenced
from pytest_mipro.runtime.signature.answers.stated import (
    Reader,
    UnclearError,
    explicit_parts,
    stated,
)
from pytest_mipro.runtime.signature.json_values import to_text
from pytest_mipro.runtime.signature.outputs import reasoned
from pytest_mipro.runtime.signature.outputs.output_rules import OutputRules
from pytest_mipro.runtime.text.strict_json import NotFiniteError, load_json

# An element that is neither an answer nor a page's: models put pages between tags of their own.
_OWN_ELEMENT = re.compile(
    r"\s*<(?!(?:answer|html|body|p|div|span|br|h[1-6]|ul|ol|table|section|article|svg|pre|em|strong"
    r"|blockquote)\b)[a-z]",
    re.IGNORECASE,
)
_WRAPPED = re.compile(
    r"\A\s*<(answer|output|result|reply|response)>(.*)</\1>\s*\Z", re.DOTALL | re.IGNORECASE
)

_WHOLE = re.compile(r"[-+]?[0-9]{1,300}")
_FEW_WORDS = 3
_NULLS = ("null", "none", "n/a")
_DATE = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}[0-9:.Z+-]*)?")


def read(output: OutputRules, body: str, *, cut: bool = False) -> Any:
    """Return the value that a reply without its thoughts states; raises OutputParseError."""
    if output.kind == "text":
        return _text(body)
    if output.labels:
        return read_label(output, body)
    if output.kind == "json":
        return _json(output, body, cut=cut)
    value = _stated(_scalar_reader(output), body, f"is not {output.scalar}")
    return output.validate(YES_NO[value] if isinstance(value, str) else value)


def _scalar_reader(output: OutputRules) -> Reader:
    if "true" in output.scalar:
        return LabelReader(YES_NO)
    return NumberReader(whole="whole" in output.scalar)


def read_label(output: OutputRules, body: str) -> Any:
    """Return the value of the one label that a text states; raises OutputParseError."""
    for text in (body, body.strip()):
        for known in (output.labels, output.aliases):
            if text in known:
                return known[text]
    if output.labels.get("null", "") is None and bare(body).casefold() in _NULLS:
        return None
    numbers = _by_number(output.labels)
    reader = NumberReader(whole=True) if numbers else LabelReader(output.labels)
    options = f"is none of: {', '.join(output.labels)}"
    value = str(_stated(reader, body, options))
    label = numbers.get(value, value)
    if label not in output.labels:
        raise OutputParseError(f"{quoted(body)} {options}")
    return output.labels[label]


def _by_number(labels: Iterable[str]) -> dict[str, str]:
    """Return labels that are distinct whole numbers by their values, none where one is not."""
    found = {str(int(label)): label for label in labels if _WHOLE.fullmatch(label)}
    return found if len(found) == len(list(labels)) else {}


def _stated(reader: Reader, body: str, wanted: str) -> Any:
    try:
        return stated(body, reader)
    except UnclearError as error:
        why = "" if error.none else f" ({error})"
        raise OutputParseError(f"{quoted(body)} {wanted}{why}") from None
    except ValueError as error:  # a number that Python can't hold
        raise OutputParseError(f"{quoted(body)} {wanted} ({error!s:.60})") from None


def _text(body: str) -> str:
    text = body if _is_xml(body) else _inside(body)
    if not text.strip():
        raise OutputParseError("it is empty")
    return text


def _is_xml(body: str) -> bool:
    """Return whether the tag around a text is a root with elements, the text's own."""
    wrapped = _WRAPPED.match(body)
    return bool(wrapped and wrapped[1].lower() == "response" and _OWN_ELEMENT.match(wrapped[2]))


def _inside(body: str) -> str:
    """Return a reply without the tag or the fence around all of it."""
    wrapped = _WRAPPED.match(body)
    return unfenced(wrapped[2].strip("\r\n") if wrapped else body)


def read_reasoned(output: OutputRules, said: str, *, cut: bool = False) -> tuple[Any, str]:
    """Return (value, reasoning) of a reply that was asked for both; raises OutputParseError."""
    parts = reasoned.split(said)
    if output.kind == "json":
        reasoning, body = parts if parts and "{" not in parts[0] else ("", said)
        return _reasoned_json(output, body, reasoning, cut=cut)
    if parts is not None:
        return read(output, parts[1], cut=cut), parts[0]
    if output.kind == "text":  # the last paragraph of a letter is no letter
        raise OutputParseError("nothing tells its answer from its reasoning")
    if cut and reasoned.is_open(said):
        raise OutputParseError("it holds only a part of its reasoning")
    reasoning, last = reasoned.last_paragraph(said)
    places = (last, said) if len(last.split()) <= _FEW_WORDS else (said, last)
    try:
        return read(output, places[0], cut=cut), reasoning
    except OutputParseError:
        return read(output, places[1], cut=cut), reasoning


def _reasoned_json(output: OutputRules, body: str, reasoning: str, *, cut: bool) -> tuple[Any, str]:
    def fits(value: Any) -> tuple[Any, str]:
        if not isinstance(value, dict):
            return output.validate(value), reasoning
        why = to_text(value.get("reasoning", reasoning))
        if "output" in value:
            return output.validate(value["output"]), why
        try:
            return output.validate(value), why
        except OutputParseError:
            rest = {key: item for key, item in value.items() if key != "reasoning"}
            return output.validate(rest), why

    found = _fitting(body, fits, ())
    return (found[0]) if found else (_json(output, body, cut=cut), reasoning)


def _fitting(body: str, fits: Any, fields: Iterable[str]) -> list[Any]:
    try:
        found = fitting_json(body, fits, fields)
    except ValueError as error:
        raise OutputParseError(str(error)) from None
    if len(found) > 1:
        raise OutputParseError(f"{quoted(body)} holds {len(found)} values; one is wanted")
    return found


def _json(output: OutputRules, body: str, *, cut: bool) -> Any:
    root = _root(output)
    if output.members:
        return _of_union(output, body, cut=cut)
    kind = root.get("type")
    if kind in ("integer", "number"):
        reader = NumberReader(whole=kind == "integer", most=root.get("maximum"))
        return output.validate(_stated(reader, body, "is not one number"))
    if kind == "string":
        return _ruled_text(output, body, root)
    fields = root.get("properties", {}) if not root.get("required") else {}
    inside, listed = _inside(body), kind == "array" and not cut
    if named := labelled_fields(inside, root.get("properties", {})):
        return output.validate(named)
    found = _fitting(body, output.validate, fields)
    if found:
        return found[0]
    items = _items(output, inside, root.get("items", {})) if listed else None
    return _whole(output, body, cut=cut) if items is None else output.validate(items)


def _items(output: OutputRules, text: str, schema: dict[str, Any]) -> list[str] | None:
    """Return the items of a list that is no JSON, None where the text is none.

    `schema` is that of an item; a text may hold brackets and commas of its own, a label doesn't.
    """
    listed = bullets(text)
    if listed is None and _is_label(output, schema):
        listed = bracketed_items(text)
    of_texts = schema.keys() <= {"type", "title", "description"}
    return inline_items(text, of_texts=of_texts) if listed is None else listed


def _is_label(output: OutputRules, schema: dict[str, Any]) -> bool:
    """Return whether a schema allows a few values only, null among them or not."""
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    schema = _resolved(output, options[0] if len(options) == 1 else schema)
    return "enum" in schema or "const" in schema


def _whole(output: OutputRules, body: str, *, cut: bool) -> Any:
    try:
        value = load_json(unfenced(body).strip(), repeated_keys=True)
    except ValueError as error:
        raise OutputParseError(f"{quoted(body)} is not JSON ({error})") from None
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):  # JSON, escaped once more
        return _json(output, value, cut=cut)
    return output.validate(value)


def _root(output: OutputRules) -> dict[str, Any]:
    """Return the schema of the value itself."""
    return _resolved(output, output.values)


def _resolved(output: OutputRules, schema: dict[str, Any]) -> dict[str, Any]:
    """Return what the schema refers to, or the schema."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    resolved: dict[str, Any] = output.values.get("$defs", {}).get(name, schema)
    return resolved


def _ruled_text(output: OutputRules, body: str, root: dict[str, Any]) -> Any:
    """Return a date or another text with rules: the whole reply, or its one part that fits."""
    text = unfenced(body).strip()
    dated = root.get("format") in ("date", "date-time")
    if dated and re.fullmatch(r"[-+]?[0-9.]+", bare(text)):  # pydantic takes it for Unix seconds
        raise OutputParseError(f"{quoted(text)} is not a date such as 2000-12-31")
    try:
        return output.validate(_unquoted(text))
    except OutputParseError as error:
        parts = []
        with contextlib.suppress(NotFiniteError):
            parts += explicit_parts(body) if root.keys() & {"format", "pattern"} else []
        parts += _DATE.findall(body) if dated else []
        found = []
        for part in parts:
            with contextlib.suppress(OutputParseError):
                found.append(output.validate(bare(part)))
        if not found or any(value != found[0] for value in found):
            raise error from None
        return found[0]


def _unquoted(text: str) -> Any:
    try:
        value = load_json(text) if text.startswith('"') else text
    except ValueError:
        return text
    return value


def _of_union(output: OutputRules, body: str, *, cut: bool) -> Any:
    """Return the value of the union's one type that reads the reply, a plain text last of all."""
    text = unfenced(body).strip()
    others = [member for member in output.members if member.kind != "text"]
    with contextlib.suppress(ValueError, OutputParseError):
        return output.validate(load_json(text, repeated_keys=True))
    if output.optional and bare(only_fence(body) or text).casefold() in _NULLS:
        return None
    if len(others) < len(output.members):  # leniency would read a number out of a letter
        return _text(body)
    found: list[Any] = []
    problem = OutputParseError(f"{quoted(body)} is not JSON")
    for member in others:
        try:
            value = read(member, body, cut=cut)
        except OutputParseError as error:
            problem = error
        else:
            found += [value] if value not in found else []
    if len(found) > 1:
        raise OutputParseError(f"{quoted(body)} can be read as {len(found)} values")
    if not found and not (output.optional and _states_null(body)):
        raise problem
    return found[0] if found else None


def _states_null(body: str) -> bool:
    """Return whether a reply says null and explains it, or names it in an object."""
    with contextlib.suppress(UnclearError, NotFiniteError):
        objects = [value for value in json_values(body) if isinstance(value, dict)]
        if objects:
            said = [text.casefold() for text in scalars(objects)]
            return len(said) == 1 and said[0] in _NULLS
        return bool(stated(body, LabelReader(_NULLS)))
    return False
