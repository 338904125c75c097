"""Tell a prompt text from the front matter before it that holds its demos."""

from __future__ import annotations

import re

from pytest_mipro.runtime.text import yaml_subset
from pytest_mipro.runtime.text.yaml_subset import YAMLTextError

_BEGIN = re.compile(r"(?:[ \t]*\r?\n)*---[ \t]*\r?\n")
_END = re.compile(r"^---[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_DEMOS = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*demos:")


def split(text: str) -> tuple[str, str] | None:
    """Return (front matter, what follows it); None without demos before the text.

    What begins with `demos:` holds demos, valid or not, as does a mapping with a list of mappings
    under such a key. Front matter of other tools belongs to the text. Each line of the front matter
    keeps its number. Raises YAMLTextError for demos without an end.
    """
    begin = _BEGIN.match(text)
    if begin is None:
        return None
    end = _END.search(text, begin.end())
    front = text[begin.end() : end.start() if end else None]
    if not (_DEMOS.match(front) or (end and _holds_demos(front))):
        return None
    before = begin[0].count("\n")
    if end is None:
        raise YAMLTextError(
            "the demos that begin here have no end; put a line `---` behind them", before
        )
    return "\n" * before + front, text[end.end() :]


def _holds_demos(front: str) -> bool:
    try:
        data, _ = yaml_subset.load(front)
    except YAMLTextError:
        return False
    demos = data.get("demos") if isinstance(data, dict) else None
    return isinstance(demos, list) and all(isinstance(demo, dict) for demo in demos)
