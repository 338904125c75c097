"""Chat history as an input: what a call passes becomes checked turns of user and assistant."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pytest_mipro.pages import page
from pytest_mipro.runtime.signature.json_values import to_json

_ROLES = ("user", "assistant")
_CALLS = ("tool_calls", "function_call", "tool_call_id")
OWN_CLIENT_WAY = (
    "a pipeline with tools keeps its own client, with a prompt_text for its prompt: "
    + page("own-client.md#with-a-prompt-from-a-file")
)


@dataclass(frozen=True)
class _Turns:
    """Marks an annotation as a chat history."""


History: TypeAlias = Annotated[Sequence[Mapping[str, Any]], _Turns()]
"""The annotation of an input that is a conversation: OpenAI's messages, as `list[dict]`.

Each message has a `role` ("user" or "assistant") and a `content`; its other keys are not sent. They
become messages of their own between the demos and the other inputs. Only one input may be one.
"""
SAID = "the conversation so far, as messages of their own (examples show it as a list)"


def is_history(annotation: Any) -> bool:
    """Return whether an annotation is `History`, or one that may be None."""
    options = (annotation, *typing.get_args(annotation))
    notes = (note for option in options for note in getattr(option, "__metadata__", ()))
    return any(isinstance(note, _Turns) for note in notes)


class HistoryError(TypeError):
    """A value is no chat history; the text says why."""


def turns_of(value: Any) -> list[dict[str, str]]:
    """Return the turns of a conversation, each with `role` and `content` alone; None has no turns.

    Raises HistoryError for a message that a chat can't show.
    """
    messages = [] if value is None else to_json(value)
    if not isinstance(messages, list):
        raise HistoryError(f"a chat history is a list of messages, not {type(value).__name__}")
    return [_turn(number, message) for number, message in enumerate(messages, 1)]


def _turn(number: int, message: Any) -> dict[str, str]:
    if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
        raise HistoryError(
            f"message {number} of a chat history must have the keys role and content; it is "
            f"{message!r:.60}"
        )
    role, content = message["role"], message["content"]
    called = next((key for key in _CALLS if message.get(key)), "")
    if called or role in ("tool", "function"):
        raise HistoryError(
            f"message {number} has {called or f'the role {role!r}'}: {OWN_CLIENT_WAY}"
        )
    if role in ("system", "developer"):
        raise HistoryError(
            f"message {number} has the role {role!r}, which is the module's own instruction; leave "
            "it out of the history"
        )
    if role not in _ROLES:
        raise HistoryError(
            f"message {number} has the role {role!r:.40}; known: {', '.join(_ROLES)}"
        )
    return {"role": role, "content": _text(number, content)}


def _text(number: int, content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    said = [text for text in texts if isinstance(text, str)]
    if len(said) < len(texts):
        raise HistoryError(f"message {number} must have a content of text, not {content!r:.60}")
    return "".join(said)
