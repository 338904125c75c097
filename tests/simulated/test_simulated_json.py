"""JSON replies are always valid by their schema, and their properties are decided like labels."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_worlds import world

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.simulated.model import SimulatedModel

MODEL = SimulatedModel("small")
TRIAGE = {
    "$defs": {
        "Queue": {"enum": ["Q1", "Q2", "Q3", "Q4"], "title": "Queue", "type": "string"},
        "Part": {
            "properties": {
                "name": {"type": "string", "maxLength": 12},
                "share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                "below": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}], "default": None},
            },
            "required": ["name", "share"],
            "type": "object",
        },
    },
    "properties": {
        "queue": {"$ref": "#/$defs/Queue"},
        "urgent": {"type": "boolean"},
        "order": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "stars": {"type": "integer", "minimum": 1, "maximum": 5},
        "amount": {"type": "number", "minimum": 0},
        "count": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 5},
        "summary": {"type": "string", "minLength": 3, "maxLength": 60},
        "facts": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/Queue"}, "uniqueItems": True},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
        "pair": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
        "kind": {"const": "note"},
        "when": {"type": "string", "format": "date"},
        "more": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": [
        "queue",
        "urgent",
        "order",
        "stars",
        "amount",
        "count",
        "summary",
        "facts",
        "parts",
    ],
    "type": "object",
}
SCHEMAS = [
    TRIAGE,
    {"type": "array", "items": {"type": "integer", "maximum": 3}, "minItems": 2},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {
        "type": "object",
        "properties": {"reasoning": {"type": "string"}, "output": TRIAGE["properties"]["stars"]},
    },
    {"$ref": "#/$defs/Part", "$defs": TRIAGE["$defs"]},
]


def request(schema, text, instruction="Look at it.", demos=()):
    wanted = "Reply with one JSON value that matches this JSON schema and nothing else:\n"
    messages = [Message("system", f"{instruction}\n\n{wanted}{json.dumps(schema)}")]
    for shown, value in demos:
        messages += [
            Message("user", f"<note>\n{shown}\n</note>"),
            Message("assistant", json.dumps(value)),
        ]
    return [*messages, Message("user", f"<note>\n{text}\n</note>")]


@pytest.mark.parametrize("schema", SCHEMAS)
@settings(max_examples=40, deadline=None)
@given(
    text=st.text(max_size=200)
    | st.sampled_from(["Order 77 on 2024-05-06 cost $12.50. a@b.org", "-3 1e9 0.5"]),
    instruction=st.text(max_size=80),
    temperature=st.sampled_from([0.0, 1.0]),
)
def test_every_reply_validates(schema, text, instruction, temperature):
    reply = MODEL.reply(request(schema, text, instruction), {"temperature": temperature})
    jsonschema.validate(json.loads(reply), schema)


def test_an_enum_property_is_decided_by_rules_and_by_demos():
    here = world(0)
    schema = {
        "type": "object",
        "properties": {"queue": {"enum": list(here.labels)}, "summary": {"type": "string"}},
        "required": ["queue", "summary"],
    }

    def right(instruction, demos=()):
        shown = [(text, {"queue": label, "summary": "It."}) for text, label in demos]
        replies = [
            MODEL.reply(request(schema, text, instruction, shown), {}) for text, _ in here.test
        ]
        return sum(
            json.loads(r)["queue"] == label
            for r, (_, label) in zip(replies, here.test, strict=True)
        )

    bare = right("Sort the note.")
    assert right(here.instruction()) > bare + 20
    assert right("Sort the note.", here.train[:12]) > bare + 10


def test_booleans_are_decided_each_by_the_sentences_that_name_them():
    schema = {
        "type": "object",
        "properties": {"urgent": {"type": "boolean"}, "paid_plan": {"type": "boolean"}},
        "required": ["urgent", "paid_plan"],
    }
    rules = "urgent is true when it speaks of falamik. The paid plan holds if it mentions torobak."
    model = SimulatedModel("small", 0.0)
    expected = {
        "bubu falamik": (True, False),
        "bubu torobak": (False, True),
        "falamik torobak": (True, True),
        "bubu zizi": (False, False),
    }
    for text, values in expected.items():
        reply = json.loads(model.reply(request(schema, text, rules), {}))
        assert (reply["urgent"], reply["paid_plan"]) == values, text


def test_numbers_and_identifiers_come_from_the_input():
    schema = {
        "type": "object",
        "properties": {
            "seats": {"type": "integer"},
            "order_number": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["seats", "order_number"],
    }
    both = json.loads(
        MODEL.reply(request(schema, "Order AB-1234 has 17 seats too few since 2 days."), {})
    )
    assert both == {"seats": 17, "order_number": "AB-1234"}
    assert json.loads(MODEL.reply(request(schema, "We need 4 seats."), {}))["order_number"] is None
