"""Checks of values of options and ini keys: each returns the parsed value, or raises its rule.

The rule is the text of a ValueError and completes "NAME must be …". Every pytest run imports this
file: it imports nothing that pytest has not.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_mipro.runtime.client.prices import ModelPrice

T = TypeVar("T")
# A report in the place of one of these would be the loss of it.
_NO_REPORTS = (".mipro.json", ".replies.jsonl", ".py")


def whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """Return the check of a whole number within the bounds."""

    def check(value: Any) -> int:
        rule = f"a whole number of at least {least}" + (f" and at most {most}" if most else "")
        try:
            number = int(value)
        except ValueError:
            raise ValueError(rule) from None
        if number < least or (most is not None and number > most):
            raise ValueError(rule)
        return number

    return check


def above_zero(unit: str) -> Callable[[Any], float]:
    """Return the check of a finite number above 0."""

    def check(value: Any) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise ValueError(f"a number of {unit} above 0")
        return number

    return check


def one_of(choices: tuple[T, ...]) -> Callable[[Any], T]:
    """Return the check of one of the choices."""

    def check(value: Any) -> T:
        for choice in choices:
            if choice == value:
                return choice
        raise ValueError(f"one of {', '.join(map(str, choices))}")

    return check


def model(value: Any) -> str:
    """Return a model's name without white space around it."""
    if not str(value).strip():
        raise ValueError("a name, as provider/name")
    return str(value).strip()


def models(value: Any) -> tuple[str, ...]:
    """Return the names of models between commas."""
    return tuple(model(name) for name in str(value).split(","))


def prices(value: Any) -> Mapping[str, ModelPrice]:
    """Return the prices in lines of `model PROMPT COMPLETION`."""
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


def address(value: Any) -> str:
    """Return the address of an endpoint."""
    if not str(value).startswith(("http://", "https://")):
        raise ValueError("an address that begins with http:// or https://")
    return str(value)


def address_patterns(value: Any) -> tuple[str, ...]:
    """Return the patterns of addresses, one a line."""
    patterns = tuple(line for each in value if (line := str(each).strip()))
    if any("://" in each or "/" not in each or len(each.split()) > 1 for each in patterns):
        raise ValueError("lines of HOST/PATH, without http://, as llm.example.com/v2/chat")
    return patterns


def storage(value: Any) -> str:
    """Return a storage's URL; driver and server are checked when a study begins."""
    scheme, _, rest = str(value).partition(":")
    if rest and scheme == "journal":
        return str(value)
    dialect = scheme.partition("+")[0]
    password_and_host = rest.partition("?")[0].partition(":")[2]
    if dialect in ("postgresql", "mysql") and password_and_host.count("@") > 1:
        raise ValueError(f"{dialect}://…, where an @ in the password is written as %40")
    if rest.startswith("//") and dialect in ("postgresql", "mysql", "sqlite"):
        return str(value)
    raise ValueError("postgresql://…, mysql://…, sqlite:///… (one machine) or journal:PATH")


def report_file(value: Any, folder: Path) -> Path:
    """Return the absolute path of a report, which must be writable before any call is paid."""
    import tempfile  # noqa: PLC0415 - where a report is asked for

    path = _absolute(value, folder)
    if path.name.lower().endswith(_NO_REPORTS):
        raise ValueError("a file of its own, no lock, replies file or Python file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):  # permissions alone do not tell
            writable = not path.exists() or (path.is_file() and os.access(path, os.W_OK))
    except OSError:
        writable = False
    if not writable:
        raise ValueError("the path of a file that can be written")
    return path


def cache_place(value: Any, folder: Path) -> Path | Literal["off"]:
    """Return the absolute path of the cache's folder, which must not hold anyone else's files."""
    from pytest_mipro.runtime.cache.folder import is_cache_folder  # noqa: PLC0415 - where given

    if value == "off":
        return "off"
    path = _absolute(value, folder)
    if not str(value).strip() or not is_cache_folder(path):
        raise ValueError("off, or a folder that is new, empty or a reply cache")
    return path


def _absolute(value: Any, folder: Path) -> Path:
    return folder / Path(os.path.expandvars(value)).expanduser()


def shown(value: Any) -> str:
    """Return a refused value in one line, without the password of an address."""
    from pytest_mipro.runtime.text.credentials import url_secrets  # noqa: PLC0415
    from pytest_mipro.runtime.text.redaction import one_line  # noqa: PLC0415

    # An address without its scheme is refused for that, and may still hold a password.
    return one_line(repr(value), secrets=tuple(url_secrets(f"http://{value}")))
