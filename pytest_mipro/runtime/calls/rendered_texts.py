"""Remember the prompt texts rendered in a case, and tell which one a request holds."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import ConfigurationError, PromptFileError
from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.prompts.render import text_parts
from pytest_mipro.runtime.signature.signature import Signature, defined_signatures
from pytest_mipro.runtime.signature.text_signature import USER_MESSAGE, TextSignature

if TYPE_CHECKING:
    from pytest_mipro.runtime.prompts.prompt import Prompt


@dataclass(frozen=True)
class Rendering:
    """A text as the pipeline got it: `pieces` between the placeholders `names` not filled in yet.

    `values` are those that were filled in; `shows_demos` tells whether the text has a place for
    demos.
    """

    signature: TextSignature
    pieces: tuple[str, ...]
    names: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    shows_demos: bool = False

    @property
    def length(self) -> int:
        """The characters that a request must hold to hold the text."""
        return sum(len(piece.strip()) for piece in self.pieces)

    def found_in(self, text: str) -> tuple[str, dict[str, str]] | None:
        """Return the rest of a text that holds all pieces in order, and the values between them.

        White space of other kinds and lengths is no difference: libraries indent what they send.
        """
        first = _span(self.pieces[0], text) if self.length else None
        if first is None:
            return None
        end, values = first[1], dict(self.values)
        for place, name in enumerate(self.names, 1):
            piece = self.pieces[place]
            last = place == len(self.names)
            found = None if last and not piece else _span(piece, text, end)
            if found is None and piece:
                return None
            values[name] = text[end : found[0] if found else None]
            end = found[1] if found else len(text)
        return text[: first[0]] + text[end:], values


def _span(piece: str, text: str, begin: int = 0) -> tuple[int, int] | None:
    """Return where a piece stands in a text, from a place on; None where it does not."""
    if piece == piece.strip():  # as mostly: a pattern of thousands of words takes long to make
        start = text.find(piece, begin)
        if start >= 0:
            return start, start + len(piece)
        if " ".join(piece.split()) not in " ".join(text.split()):
            return None
    found = _words(piece).search(text, begin)
    return found.span() if found else None


@lru_cache(maxsize=512)
def _words(piece: str) -> re.Pattern[str]:
    """Return what finds the words of a piece, whatever white space is between and around them."""
    if piece.isspace():
        return re.compile(r"\s*\n\s*" if "\n" in piece else r"\s+")
    spaced = (re.escape(word) for word in piece.split())
    before, after = (r"\s*" if edge.isspace() else "" for edge in (piece[:1], piece[-1:]))
    return re.compile(before + r"\s+".join(spaced) + after)


class RenderedTexts:
    """The texts rendered in one run of a case."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: list[Rendering] = []
        self._in_messages: set[TextSignature] = set()

    def add(self, rendering: Rendering) -> None:
        """Remember a rendering."""
        with self._lock:
            self._made.append(rendering)

    def note_messages(self, signature: TextSignature) -> None:
        """Remember that the pipeline took the text's demos as messages."""
        with self._lock:
            self._in_messages.add(signature)

    def show_demos(self, rendering: Rendering) -> bool:
        """Return whether the pipeline shows the demos of a text: in it, or as messages."""
        with self._lock:
            return rendering.shows_demos or rendering.signature in self._in_messages

    def __iter__(self) -> Iterator[Rendering]:
        """Yield the longest first, of equal ones the newest."""
        with self._lock:
            made = self._made[::-1]
        return iter(sorted(made, key=lambda rendering: -rendering.length))


@dataclass(frozen=True)
class Owner:
    """Whose call a request is, with the call's `inputs`, and whether it would show demos."""

    signature: Signature
    inputs: Mapping[str, Any]
    shows_demos: bool = False


def owner_of(
    messages: Sequence[Message], texts: RenderedTexts, prompts: Mapping[Path, Prompt]
) -> Owner | None:
    """Return the text that a request of the running case holds, None where it holds none.

    Of several, it is the longest. `prompts` are the candidate's. Raises ConfigurationError where
    the text was rendered outside the case, so that a candidate can't be shown in its place.
    """
    for rendering in texts:
        shows = texts.show_demos(rendering)
        owner = _owner(messages, rendering, shows_demos=shows)
        if owner is not None:
            return owner
    for rendering in sorted(_committed(), key=lambda rendering: -rendering.length):
        owner = _owner(messages, rendering)
        if owner is not None and rendering.signature.prompt_path in prompts:
            raise ConfigurationError(
                f"{rendering.signature.where}: a request holds the committed text, not the "
                "candidate's, so its text was made outside the case, as at import or in a fixture; "
                "call str(text) or text.format(…) in the function that makes the request"
            )
        if owner is not None:
            return owner
    return None


def _committed() -> Iterator[Rendering]:
    for signature in defined_signatures():
        if isinstance(signature, TextSignature) and signature.is_in_use:
            with suppress(PromptFileError):  # told where the text is used
                yield Rendering(signature, *text_parts(signature, committed_prompt(signature)))


def _owner(
    messages: Sequence[Message], rendering: Rendering, *, shows_demos: bool = False
) -> Owner | None:
    for place, message in enumerate(messages):
        found = rendering.found_in(message.content)
        if found is not None:
            rest, values = found
            asked = _asked([*messages[:place], Message(message.role, rest), *messages[place + 1 :]])
            if asked:
                values.setdefault(USER_MESSAGE, asked)
            return Owner(rendering.signature, values, shows_demos)
    return None


def _asked(messages: Sequence[Message]) -> str:
    """Return the user messages that the request ends with, as one text."""
    asked: list[str] = []
    for message in reversed(messages):
        if message.role != "user":
            break
        asked.insert(0, message.content.strip())
    return "\n\n".join(filter(None, asked))
