"""Read the JSON that DSPy's `Module.save` writes: instructions, fields and demos by predictor.

The state of a program maps the path of each predictor (`generate.predict`) to its state; that of a
predictor alone is the state itself. `signature` holds `instructions` and `fields`, each with a
`prefix` (`Question:`) and no name; `demos` are mappings of names to values. Releases before 2.6
have `signature_instructions` or `extended_signature…` instead
(https://dspy.ai/diving-deeper/saving-and-loading/).
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.runtime.signature.answers.reply_text import normalise_instruction
from pytest_mipro.runtime.text.files import read_text
from pytest_mipro.runtime.text.redaction import one_line
from pytest_mipro.runtime.text.strict_json import load_json

_REASONING = ("reasoning", "rationale")  # the second one before release 2.5
_UNDESCRIBED = re.compile(r"\$\{(\w+)\}")
_MADE = re.compile(r"Given the fields? .*, produce the fields? (.*)\.")
_OF_DSPY = re.compile(r"augmented|dspy_\w+")
_ROOTS = ("predict", "self")  # the one predictor of a program that is a module of DSPy's own
_STATE = frozenset({"demos", "signature", "signature_instructions", "extended_signature"})
_TYPES = {bool: "bool", int: "int", float: "float", list: "list", dict: "dict"}


@dataclass(frozen=True)
class Predictor:
    """What is saved of a predictor.

    `name` is its path in the program. `fields` are all names, inputs first. Which of them are
    outputs is not saved: they follow the reasoning, or the instruction that DSPy makes names them;
    else the last field is taken, a guess.
    """

    name: str
    instruction: str
    fields: tuple[str, ...]
    demos: tuple[Mapping[str, Any], ...]

    @property
    def function(self) -> str:
        """The name that its LM module has: its path, without what DSPy's own modules add."""
        parts = [part for part in re.split(r"\W+", self.name) if part]
        while len(parts) > 1 and parts[-1] in _ROOTS:
            parts.pop()
        name = "_".join(parts).lower()
        usable = name.isidentifier() and not keyword.iskeyword(name)
        return name if usable else f"module_{name}"

    @property
    def reasoning(self) -> str | None:
        """The field that holds the reasoning, None where none is asked for."""
        return next((name for name in self.fields if name in _REASONING), None)

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs."""
        return [name for name in self.fields if name not in (*self.outputs, self.reasoning)]

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, without the reasoning."""
        names = list(self.fields)
        if self.reasoning:
            return names[names.index(self.reasoning) + 1 :]
        return self._stated or names[-1:]

    @property
    def guessed(self) -> bool:
        """Whether there may be more outputs than were taken."""
        return not self.reasoning and not self._stated and len(self.fields) > 2

    @property
    def _stated(self) -> list[str]:
        made = _MADE.fullmatch(self.instruction)
        return [name for name in self.fields if made and f"`{name}`" in made[1]]

    def type_of(self, name: str) -> str:
        """Return the annotation that the demos' values of a field have, `str` by default."""
        kinds = {_TYPES.get(type(demo[name]), "str") for demo in self.demos if name in demo}
        return kinds.pop() if len(kinds) == 1 else "str"


def read_saved(path: Path) -> tuple[list[Predictor], list[str]]:
    """Return the predictors of a saved program, and the names of its other parts.

    Raises ConfigurationError, which begins with the path, for a file of another kind.
    """
    data = _json(path)
    parts = {path.stem: data} if _is_predictor(data) else data
    found = [
        _predictor(path.stem if name in _ROOTS else name, state, path)
        for name, state in parts.items()
        if _is_predictor(state)
    ]
    if not found:
        raise ConfigurationError(
            f'{path}: holds no predictor; save the program with `program.save("program.json")`'
        )
    others = [name for name, state in parts.items() if not _is_predictor(state)]
    return found, [name for name in others if name != "metadata"]


def _json(path: Path) -> dict[str, Any]:
    try:
        data = load_json(read_text(path).removeprefix("\ufeff"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigurationError(
            f"{path}: can't be read ({reason}); give the JSON file of `program.save`"
        ) from None
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{path}:{error.lineno}: not JSON ({error.msg}); pickled programs are not read: save "
            "the program to a path that ends in .json"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{path}:1: {error}; save the program again") from None
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path}:1: expected an object, as `program.save` writes it")
    return data


def _is_predictor(state: Any) -> bool:
    return isinstance(state, dict) and bool(_STATE & set(state))


def _predictor(name: str, state: Mapping[str, Any], path: Path) -> Predictor:
    where = f"{path}: {name}"
    signature = state.get("extended_signature") or state.get("signature") or {}
    instruction = (
        state.get("extended_signature_instructions")
        or (signature.get("instructions") if isinstance(signature, dict) else None)
        or state.get("signature_instructions")
    )
    if not isinstance(instruction, str) or not normalise_instruction(instruction).strip():
        raise ConfigurationError(f"{where}: has no instructions; save the program again")
    demos = state.get("demos") or []
    if not isinstance(demos, list) or not all(isinstance(demo, dict) for demo in demos):
        raise ConfigurationError(f"{where}: `demos` is no list of objects; save the program again")
    kept = tuple(
        {key: value for key, value in demo.items() if not _OF_DSPY.fullmatch(key)} for demo in demos
    )
    fields = signature.get("fields", []) if isinstance(signature, dict) else []
    names = tuple(_names(fields, kept))
    for field in names:
        if not field.isidentifier() or keyword.iskeyword(field):
            raise ConfigurationError(
                f"{where}: the field {one_line(field, 60)!r} can't be the name of an input; rename "
                "it in the DSPy program, and save it again"
            )
    return Predictor(name, normalise_instruction(instruction), names, kept)


def _names(fields: Any, demos: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    """Yield the names of the fields, in order: inputs, reasoning, outputs.

    They are not saved. A description that the user has not written is `${name}`, and DSPy makes the
    prefix of the name; demos tell names too, and more than the fields where their rows have more.
    """
    keys = list(dict.fromkeys(key for demo in demos for key in demo))
    saved = [field for field in (fields if isinstance(fields, list) else []) if _is_field(field)]
    names = [_name(field, keys) for field in saved]
    left = [key for key in keys if key not in names]
    for field, name in zip(saved, names, strict=True):
        if name is not None:
            yield name
        elif left:  # prefix and description of the user's own: demos have the order of the fields
            yield left.pop(0)
        else:
            yield "_".join(re.findall(r"\w+", field["prefix"])).lower()
    if not saved:  # before release 2.4
        yield from keys


def _is_field(field: Any) -> bool:
    return isinstance(field, dict) and isinstance(field.get("prefix"), str)


def _name(field: Mapping[str, Any], keys: list[str]) -> str | None:
    described = _UNDESCRIBED.fullmatch(str(field.get("description", "")))
    if described:
        return described[1]
    if field["prefix"].startswith("Reasoning:"):
        return _REASONING[0]
    return next((key for key in keys if _letters(key) == _letters(field["prefix"])), None)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()
