"""Meta-prompts: Markdown files with named places, filled once; and texts cut to a limit."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pytest_mipro.runtime.client import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_ROLES = re.compile(r"^# (System|User)\n", re.MULTILINE)


def meta_prompt(name: str, values: Mapping[str, str]) -> tuple[Message, ...]:
    """Return the messages of the meta-prompt `name`, its places `{{…}}` filled with the values.

    The file has two parts, `# System` and `# User`. It is split and its places are found before any
    value is inserted: nothing in a value is read as a place or as a role.
    """
    parts = _ROLES.split(_text(name))
    roles = {"System": "system", "User": "user"}
    return tuple(
        Message(roles[role], _filled(body.strip(), values))  # type: ignore[arg-type]
        for role, body in zip(parts[1::2], parts[2::2], strict=True)
    )


def _filled(body: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: values[match.group(1)], body)


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath("meta_prompts", f"{name}.md").read_text(encoding="utf-8")


def head_and_tail(text: str, limit: int) -> str:
    """Return the text, or its head and tail with a mark between, of at most `limit` characters."""
    if len(text) <= limit:
        return text
    kept = max(0, limit - len(f" […{len(text)} characters left out…] "))
    mark = f" […{len(text) - kept} characters left out…] "
    head = (kept + 1) // 2
    return text[:head] + mark + text[len(text) - (kept - head) :]
