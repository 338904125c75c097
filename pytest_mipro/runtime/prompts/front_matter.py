"""Tell a prompt text from the front matter before it that holds its demos."""

from __future__ import annotations

import re

from pytest_mipro.runtime.text import yaml_subset
from pytest_mipro.runtime.text.yaml_subset import YAMLTextError

_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?\n)---[ \t]*\r?\n", re.DOTALL)
_DEMOS = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*demos:")


def split(text: str) -> tuple[str, str] | None:
    """Return (front matter, what follows it); None without demos before the text.

    What begins with `demos:` holds demos, valid or not, as does a mapping with a list of mappings
    under such a key. Front matter of other tools belongs to the text.
    """
    match = _FRONT.match(text)
    if match is None or not (_DEMOS.match(match[1]) or _holds_demos(match[1])):
        return None
    return match[1], text[match.end() :]


def _holds_demos(front: str) -> bool:
    try:
        data, _ = yaml_subset.load(front)
    except YAMLTextError:
        return False
    demos = data.get("demos") if isinstance(data, dict) else None
    return isinstance(demos, list) and all(isinstance(demo, dict) for demo in demos)
