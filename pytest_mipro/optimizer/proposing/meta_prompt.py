"""Fill meta-prompts, which are Markdown files with placeholders, and cut texts to a limit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from pytest_mipro.runtime.client.contract import Message

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_ROLES = re.compile(r"^# (System|User)\n", re.MULTILINE)


def meta_prompt(
    name: str, values: Mapping[str, str], limit: int
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """Return the messages of the meta-prompt `name`, and the names of the values that were cut.

    The file has two parts, `# System` and `# User`. Both parts and the placeholders `{{…}}` are
    found before any value is inserted, so a value can't add either. If the result would exceed
    `limit` characters, the longest values are cut to head and tail, all to the same length.
    """
    text = _text(name)
    used = {place: values[place] for place in _PLACE.findall(text)}
    room = max(0, limit - len(_PLACE.sub("", text)))
    most = _fitting(sorted(len(value) for value in used.values()), room)
    cut = tuple(place for place, value in used.items() if len(value) > most)
    fitted = {place: head_and_tail(value, most) for place, value in used.items()}
    parts = _ROLES.split(text)
    messages = tuple(
        Message(
            "system" if role == "System" else "user",
            _PLACE.sub(lambda match: fitted[match[1]], body.strip()),
        )
        for role, body in zip(parts[1::2], parts[2::2], strict=True)
    )
    return messages, cut


def _fitting(lengths: Sequence[int], room: int) -> int:
    """Return the greatest common limit under which texts of these ascending lengths fit."""
    for index, length in enumerate(lengths):
        share = room // (len(lengths) - index)
        if length > share:
            return share
        room -= length
    return max(lengths, default=0)


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath("meta_prompts", f"{name}.md").read_text(encoding="utf-8")


def head_and_tail(text: str, limit: int) -> str:
    """Return the text, or its head and tail around a note, in at most `limit` characters."""
    if len(text) <= limit:
        return text
    kept = max(0, limit - len(f" […{len(text)} characters left out…] "))
    mark = f" […{len(text) - kept} characters left out…] "[:limit]
    head = (kept + 1) // 2
    return text[:head] + mark + text[len(text) - (kept - head) :]
