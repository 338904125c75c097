"""Checks of the values of options and ini keys: each returns the value, or raises the rule.

The rule is the text of a ValueError and goes on "must be …". Every pytest run imports this file.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from pytest_mipro.runtime.client.prices import ModelPrice


def whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """Return the check of a whole number within the bounds."""
    rule = f"a whole number of at least {least}" + (f" and at most {most}" if most else "")

    def check(value: Any) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError(rule) from None
        if number < least or (most is not None and number > most):
            raise ValueError(rule)
        return number

    return check


def one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    """Return the check of one of the choices."""

    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value)

    return check


def text(value: Any) -> str:
    """Return a model's name without white space around it."""
    if not str(value).strip():
        raise ValueError("a name, as provider/name")
    return str(value).strip()


def names(value: Any) -> tuple[str, ...]:
    """Return the names of models that stand between commas."""
    return tuple(text(name) for name in str(value).split(","))


def parts(value: Any) -> frozenset[str]:
    """Return the parts of the optimiser that are switched on."""
    from pytest_mipro.optimizer.study.parts import switched  # noqa: PLC0415 - where it is asked for

    return switched(name.strip() for name in str(value).split(","))


def seconds(value: Any) -> float:
    """Return a time span above 0."""
    return _above_zero(value, "a number of seconds above 0")


def dollars(value: Any) -> float:
    """Return a sum of money above 0."""
    return _above_zero(value, "a number of US dollars above 0")


def _above_zero(value: Any, rule: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError(rule) from None
    if not 0 < number < math.inf:
        raise ValueError(rule)
    return number


def prices(value: Any) -> Mapping[str, ModelPrice]:
    """Return the prices that lines of `model PROMPT COMPLETION` set."""
    from pytest_mipro.runtime.client.prices import ModelPrice  # noqa: PLC0415 - where they are given

    found: dict[str, ModelPrice] = {}
    for line in value:
        name, *numbers = str(line).split() or [""]
        try:
            prompt, completion = (float(number) for number in numbers)
        except ValueError:
            prompt = completion = math.nan
        if not (0 <= prompt < math.inf and 0 <= completion < math.inf):
            raise ValueError(
                "lines of a model and its dollars per million prompt and completion tokens, "
                "as my/model 0.5 1.5"
            )
        found[name] = ModelPrice(prompt, completion)
    return found


def share(value: Any) -> float:
    """Return a number in 0…1."""
    if not 0 <= value <= 1:
        raise ValueError("a number in 0…1")
    return float(value)


def address(value: Any) -> str:
    """Return the address of an endpoint."""
    if not str(value).startswith(("http://", "https://")):
        raise ValueError("an address that begins with http:// or https://")
    return str(value)


def storage(value: Any) -> str:
    """Return a storage's URL; the driver and the server are looked for when a study begins."""
    scheme, _, rest = str(value).partition(":")
    if rest and scheme == "journal":
        return str(value)
    if rest.startswith("//") and scheme.partition("+")[0] in ("postgresql", "mysql", "sqlite"):
        return str(value)
    raise ValueError("postgresql://…, mysql://…, sqlite:///… (one machine) or journal:PATH")


def report_file(config: pytest.Config) -> Callable[[Any], Path]:
    """Return the check of a report's path: a file that can be written, told before any call."""

    def check(value: Any) -> Path:
        path = config.invocation_params.dir / Path(os.path.expandvars(value)).expanduser()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):  # permissions alone do not tell it
                writable = not path.exists() or (path.is_file() and os.access(path, os.W_OK))
        except OSError:
            writable = False
        if not writable:
            raise ValueError("the path of a file that can be written")
        return path

    return check


def cache_place(config: pytest.Config) -> Callable[[Any], Path | Literal["off"]]:
    """Return the check of the cache's place: no folder of others becomes private or gets files."""

    def check(value: Any) -> Path | Literal["off"]:
        from pytest_mipro.runtime.cache.folder import is_cache_folder  # noqa: PLC0415 - where given

        if value == "off":
            return "off"
        path = config.invocation_params.dir / Path(os.path.expandvars(value)).expanduser()
        if not str(value).strip() or not is_cache_folder(path):
            raise ValueError("off, or a folder that is new, empty or a reply cache")
        return path

    return check
