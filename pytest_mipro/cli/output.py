"""Write to the terminal: printable, without credentials; JSON stays JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.runtime.text.redaction import hide_secrets
from pytest_mipro.runtime.text.strict_json import escape_unsafe


def say(text: str = "") -> None:
    """Write lines to standard output."""
    sys.stdout.write(f"{printable(hide_secrets(text))}\n")


def complain(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"error: {printable(hide_secrets(text))}\n")


def json_text(value: Any) -> str:
    """Return a JSON value as indented text that `say` leaves as it is, credentials aside."""
    plain = not str(sys.stdout.encoding).lower().startswith("utf")
    text = json.dumps(value, indent=2, ensure_ascii=plain)
    # the sign of a command to a CI system, which `printable` would break
    return escape_unsafe(text).replace("##[", "#\\u0023[")
