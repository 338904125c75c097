"""Meta-prompts: Markdown files with named places, filled once; and texts cut to a limit."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pytest_mipro.runtime.client.contract import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_ROLES = re.compile(r"^# (System|User)\n", re.MULTILINE)


def meta_prompt(
    name: str, values: Mapping[str, str], limit: int
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """Return the messages of the meta-prompt `name`, and the names of the values that were cut.

    The file has two parts, `# System` and `# User`. It is split and its places `{{…}}` are found
    before any value is inserted: nothing in a value is read as a place or as a role. Where the
    whole would be longer than `limit` characters, the longest values are cut to head and tail, all
    of them to the same length.
    """
    text = _text(name)
    used = {place: values[place] for place in _PLACE.findall(text)}
    room = max(0, limit - len(_PLACE.sub("", text)))
    most = _fitting(sorted(len(value) for value in used.values()), room)
    cut = tuple(place for place, value in used.items() if len(value) > most)
    fitted = {place: head_and_tail(value, most) for place, value in used.items()}
    parts = _ROLES.split(text)
    roles = {"System": "system", "User": "user"}
    messages = tuple(
        Message(roles[role], _filled(body.strip(), fitted))  # type: ignore[arg-type]
        for role, body in zip(parts[1::2], parts[2::2], strict=True)
    )
    return messages, cut


def _fitting(lengths: Sequence[int], room: int) -> int:
    """Return the greatest length to which texts of these ascending lengths may be cut to fit."""
    for index, length in enumerate(lengths):
        share = room // (len(lengths) - index)
        if length > share:
            return share
        room -= length
    return max(lengths, default=0)


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
    mark = f" […{len(text) - kept} characters left out…] "[:limit]
    head = (kept + 1) // 2
    return text[:head] + mark + text[len(text) - (kept - head) :]
