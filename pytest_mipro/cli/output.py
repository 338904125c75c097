"""Write to the terminal: printable, without credentials; JSON stays JSON."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.runtime.text.redaction import hide_secrets

# What a CI system takes for a command anywhere in a line, and `printable` would break.
_COMMAND = re.compile(r"##(?=\w*\[)")


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
    for char in sorted({each for each in text if not each.isprintable()} - {"\n"}):
        if printable(char) != char:  # its escape is none that JSON has
            text = text.replace(char, json.dumps(char)[1:-1])
    return _COMMAND.sub(r"#\\u0023", text)
