"""Make canonical feedback of a failure: the same text whatever the terminal.

pytest's own text of a failed assertion differs by `-v`, CI variables and colours, and holds
addresses and unordered sets. Here the compared values are noted while the assertion fails, and the
text is made from them.
"""

from __future__ import annotations

import ast
import json
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from pytest_mipro.runtime.signature.json_values import to_json
from pytest_mipro.runtime.text.redaction import hide_secrets
from pytest_mipro.runtime.text.safe_text import text_of

MAX_CHARS = 2000
"""The longest feedback; a longer text keeps its head and its tail."""
_VALUE_CHARS = 600
_READ_CHARS = 16 * MAX_CHARS  # what is cut out of a longer text needs no search
# pytest shortens a value in its middle from its 118th character on, unless -v: what stands before
# is the same always.
_DETAIL_CHARS = 100
_DEPTH = 8

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}\b")
_SET = re.compile(r"\{[^{}:]{1,1000}\}")
_GOT = "got "
_WHERE = re.compile(r" *\+  (?:where|and) ")

_OPERATORS = (" == ", " != ", " < ", " <= ", " > ", " >= ", " in ", " not in ", " is ", " is not ")


@dataclass(frozen=True)
class Comparison:
    """A failed comparison: its sides, and their texts from when it failed."""

    operator: str
    left: object
    right: object
    texts: tuple[str, str]

    @property
    def text(self) -> str:
        """The comparison as code."""
        return f"{self.texts[0]} {self.operator} {self.texts[1]}"

    def told(self, outputs: Sequence[object], given: Sequence[object] = ()) -> str:
        """Return what was got and what was wanted, else the assertion as code.

        `outputs` are the JSON values that the program's modules gave, in order: the side that the
        last of them gave, as a whole or in part, is what was got. Where it alone is among the
        values `given` that the case does not ask with, it may as well be what was wanted, of a
        program that made something else of a right output.
        """
        for output in reversed(outputs) if self.operator in ("==", "is") else ():
            for values, tidied in product(([output], list(_parts(output))), (False, True)):
                known = {_key(value, tidied=tidied) for value in values} - {None}
                left, right = (_key(s, tidied=tidied) in known for s in (self.left, self.right))
                if left != right:
                    if self._was_given(given, left=left):
                        return f"assert {self.text}"
                    got, wanted = self.texts if left else reversed(self.texts)
                    return f"{_GOT}{got}, wanted {wanted}"
        return f"assert {self.text}"

    def _was_given(self, given: Sequence[object], *, left: bool) -> bool:
        """Return whether one side, and not the other, is a text or an object of the case.

        Numbers and truth values are equal to others by chance, and a list may hold all there are.
        """
        known = {_key(value, tidied=False) for value in _told(given)} - {None}
        one, other = (self.left, self.right) if left else (self.right, self.left)
        return _key(one, tidied=False) in known and _key(other, tidied=False) not in known


def _told(given: Iterable[object]) -> Iterator[object]:
    """Yield the texts and objects of a case, those in objects included."""
    for value in given:
        if isinstance(value, (str, dict)):
            yield value
        if isinstance(value, dict):
            yield from _told(value.values())


def not_asked(given: Sequence[object], inputs: Iterable[object]) -> list[object]:
    """Return the values of a case that are none of the `inputs` of its modules.

    Those it asks with; among the others is what it wants.
    """
    known = {_key(value, tidied=False) for value in inputs}
    return [value for value in given if _key(value, tidied=False) not in known]


_comparisons: ContextVar[list[Comparison] | None] = ContextVar("mipro_comparisons", default=None)


@contextmanager
def noting_comparisons() -> Iterator[list[Comparison]]:
    """Note each failed comparison of the block in the list yielded."""
    notes: list[Comparison] = []
    token = _comparisons.set(notes)
    try:
        yield notes
    finally:
        _comparisons.reset(token)


class ComparisonHook:
    """Notes what pytest compares, in the gate and in optimisation."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        """Note a failed comparison, for feedback that no option changes; pytest's text stays."""
        notes = _comparisons.get()
        if notes is not None:
            notes.append(Comparison(op, left, right, (canonical_repr(left), canonical_repr(right))))


def _key(value: object, *, tidied: bool) -> str | None:
    """Return a text that equal values share; None for one that is not comparable.

    `tidied` texts share it without blank ends and whatever their case, as tests compare them.
    """
    if isinstance(value, str) and tidied:
        value = value.strip().casefold()
    try:
        return json.dumps(to_json(value), sort_keys=True)
    except TypeError:
        return None


def _parts(output: object) -> Iterator[object]:
    """Yield what a JSON value holds, at any depth."""
    inner = output.values() if isinstance(output, dict) else output
    for part in inner if isinstance(output, (dict, list)) else ():  # type: ignore[attr-defined]
        yield part
        yield from _parts(part)


def canonical(text: str) -> str:
    """Return the text without colours and addresses, its sets sorted, of at most `MAX_CHARS`.

    It can be encoded, also where the model's reply held half a character, and holds no credential:
    it is shown to the proposer.
    """
    if not text:
        return text
    text = _ADDRESS.sub("", _ANSI.sub("", shortened(text, _READ_CHARS)))
    text = text.encode("utf-8", "backslashreplace").decode()
    return shortened(hide_secrets(_SET.sub(_sorted_set, text).strip()), MAX_CHARS)


def canonical_repr(value: object) -> str:
    """Return a repr of about 600 characters at most: sets sorted, no address, no credential."""
    text = shortened(_repr(value, _DEPTH), _READ_CHARS)
    return shortened(hide_secrets(_ADDRESS.sub("", text)), _VALUE_CHARS)


def assertion_feedback(
    error: BaseException,
    notes: Sequence[Comparison],
    outputs: Sequence[object] = (),
    given: Sequence[object] = (),
) -> str:
    """Return the feedback of an assertion error: the test's own message, then what was compared.

    `notes` are the comparisons noted in the block that raised it, `outputs` what the program's
    modules gave in it, `given` the values of its case that it does not ask with. Where there
    is no text at all, it is the line that raised.
    """
    lines = hide_secrets(_ANSI.sub("", shortened(text_of(error), _READ_CHARS))).splitlines()
    start = _explanation_start(lines)
    if start is None:
        frames = traceback.extract_tb(error.__traceback__)
        raising = frames[-1].line if frames else ""
        return canonical("\n".join(lines) or raising or "")
    message, explanation = lines[:start], lines[start:]
    where = [line for line in explanation[1:] if _WHERE.match(line)]
    head = _cut(explanation[0])
    for operator in _OPERATORS if notes else ():
        if operator in notes[-1].text and operator in explanation[0]:
            head = notes[-1].told(outputs, given)
    if head.startswith(_GOT):  # which call gave it tells nothing more; which field did, does
        where = [line for line in where if not line.endswith(")")]
    return canonical("\n".join([*message, head, *map(_cut, where)]))


def shortened(text: str, limit: int) -> str:
    """Return the text, or its head and tail around the number of characters left out."""
    if len(text) <= limit:
        return text
    note = f" … {len(text) - limit} characters left out … "
    head = (limit - len(note)) * 2 // 3
    tail = limit - len(note) - head
    return f"{text[:head]}{note}{text[-tail:]}"


def exception_line(error: BaseException) -> str:
    """Return `Type: text` of an exception in one canonical line."""
    text = canonical(" ".join(text_of(error).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _explanation_start(lines: list[str]) -> int | None:
    """Return where pytest's explanation begins: the last `assert …` followed by its details only.

    Details are indented; the lines before are the test's own message.
    """
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith("assert "):
            return index
        if lines[index] and not lines[index].startswith(" "):
            return None
    return None


def _cut(line: str) -> str:
    return line if len(line) <= _DETAIL_CHARS else f"{line[:_DETAIL_CHARS]}…"


def _sorted_set(match: re.Match[str]) -> str:
    try:
        value = ast.literal_eval(match.group())  # literals alone: nothing is run
    except (ValueError, SyntaxError, TypeError):
        return match.group()
    return _repr(value, _DEPTH) if isinstance(value, set) else match.group()


def _repr(value: Any, depth: int) -> str:
    kind = type(value)
    try:
        if depth == 0 or kind not in (set, frozenset, dict, list, tuple):
            return repr(value)
        parts = (
            [f"{_repr(key, depth - 1)}: {_repr(item, depth - 1)}" for key, item in value.items()]
            if kind is dict
            else [_repr(item, depth - 1) for item in value]
        )
    except Exception as error:  # noqa: BLE001 - a broken __repr__ of the user's must not break a measurement
        return f"<{kind.__name__} whose repr raises {type(error).__name__}>"
    if kind in (set, frozenset):
        parts.sort()
        body = f"{{{', '.join(parts)}}}" if parts else ""
        return body if kind is set and parts else f"{kind.__name__}({body})"
    if kind is tuple:
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    return f"{{{', '.join(parts)}}}" if kind is dict else f"[{', '.join(parts)}]"
