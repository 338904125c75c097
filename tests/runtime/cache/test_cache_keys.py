"""Which requests share a reply: the keys of the cache."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.runtime.client.contract import Message, Request

if TYPE_CHECKING:
    pass


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=4)
messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text())
requests = st.builds(
    Request,
    model=st.text(max_size=10),
    messages=st.lists(messages, max_size=3).map(tuple),
    parameters=objects,
    response_schema=st.none() | objects,
    sample=st.integers(0, 5),
)


@given(requests)
def test_order_of_dicts_does_not_change_the_key(asked: Request) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    other = replace(
        asked,
        parameters=turned(asked.parameters),
        response_schema=turned(asked.response_schema),
    )
    assert asked.digest("e") == other.digest("e")


@given(requests, requests)
def test_any_change_of_any_field_changes_the_key(one: Request, other: Request) -> None:
    for name in ("model", "messages", "parameters", "response_schema", "sample"):
        changed = replace(one, **{name: getattr(other, name)})
        # As JSON, where 1, 1.0 and true are three values, while Python has them equal.
        same = json.dumps(_plain(getattr(one, name)), sort_keys=True) == json.dumps(
            _plain(getattr(changed, name)), sort_keys=True
        )
        assert (one.digest() == changed.digest()) == same
    assert one.digest("a") != one.digest("b")


@given(requests, st.integers(0), st.text(min_size=1))
def test_small_changes_of_messages_change_the_key(asked: Request, place: int, more: str) -> None:
    grown = replace(asked, messages=(*asked.messages, Message("user", more)))
    assert grown.digest() != asked.digest()
    at = place % len(grown.messages)
    edited = list(grown.messages)
    edited[at] = replace(edited[at], content=edited[at].content + more)
    assert replace(grown, messages=tuple(edited)).digest() != grown.digest()
    edited[at] = replace(
        grown.messages[at], role="system" if grown.messages[at].role == "user" else "user"
    )
    assert replace(grown, messages=tuple(edited)).digest() != grown.digest()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [[message.role, message.content] for message in value]
    return value
