"""One content, two chat formats, the same decisions; and values that look like formats."""

from __future__ import annotations

import json

from simulated_worlds import classification, world

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.simulated.formats import marked_format, plain_format
from pytest_mipro.simulated.model import SimulatedModel

MODEL = SimulatedModel("small")


def marked(world, instruction, text, demos=(), reasoning=False):
    options = "; ".join(world.labels)
    thought = "[[ ## reasoning ## ]]\n{reasoning}\n\n" if reasoning else ""
    listed = "1. `reasoning` (str): \n2." if reasoning else "1."
    system = (
        "Your input fields are:\n1. `note` (str):\nYour output fields are:\n"
        f"{listed} `queue` (Literal[{', '.join(repr(label) for label in world.labels)}]):\n"
        "All interactions will be structured in the following way, with the appropriate values "
        f"filled in.\n\n[[ ## note ## ]]\n{{note}}\n\n{thought}[[ ## queue ## ]]\n{{queue}}        "
        "# note: the value you produce must exactly match (no extra characters) one of: "
        f"{options}\n\n[[ ## completed ## ]]\n"
        f"In adhering to this structure, your objective is: \n        {instruction}"
    )
    messages = [Message("system", system)]
    for shown, label in demos:
        messages.append(Message("user", f"[[ ## note ## ]]\n{shown}"))
        answer = f"[[ ## queue ## ]]\n{label}\n\n[[ ## completed ## ]]\n"
        messages.append(Message("assistant", answer))
    tail = "\n\nRespond with the corresponding output fields, starting with `[[ ## queue ## ]]`."
    return [*messages, Message("user", f"[[ ## note ## ]]\n{text}{tail}")]


def test_both_formats_give_the_same_decisions():
    here = world(0)
    for text, _ in here.test[:40]:
        for demos in ([], here.train[:6], here.train[:24]):
            rules = here.instruction(2).replace("\n", " ")
            plain = MODEL.reply(classification(here, rules, text, demos), {})
            other = MODEL.reply(marked(here, rules, text, demos), {})
            assert other.endswith("[[ ## completed ## ]]")
            assert dict(marked_format.read_fields(other)) == {"queue": plain}


def test_rules_behind_the_format_are_rules_as_those_before_it():
    here = world(0)
    rules = here.instruction(2)
    for text, _ in here.test[:20]:
        system, asked = classification(here, "Sort the note.", text, [])
        before, _, listed = system.content.partition("\n\n")
        first, last = f"{before}\n{rules}\n\n{listed}", f"{before}\n\n{listed}\n{rules}"
        one, other = (MODEL.reply([Message("system", s), asked], {}) for s in (first, last))
        assert one == other
    inline = "Sort it.\n\nReply with one of: ham, eggs\nWhat is fried is eggs."
    assert plain_format.split_format(inline) == (
        "Sort it.\nWhat is fried is eggs.",
        "Reply with one of: ham, eggs",
    )


def test_outputs_as_one_json_object_are_the_same_decisions():
    here = world(0)
    for text, _ in here.test[:20]:
        messages = marked(here, "Sort the note.", text, here.train[:6], reasoning=True)
        asked = [Message(m.role, as_object(m)) for m in messages]
        reply = json.loads(MODEL.reply(asked, {}))
        fields = dict(marked_format.read_fields(MODEL.reply(messages, {})))
        assert list(reply) == ["reasoning", "queue"]
        assert reply["queue"] == fields["queue"]


def as_object(message):
    """Return the marked message as it is where outputs are to be a JSON object."""
    if message.role == "system":
        before, _, rest = message.content.partition("[[ ## reasoning ## ]]")
        _, _, after = rest.partition("[[ ## completed ## ]]")
        shown = '{\n  "reasoning": "{reasoning}",\n  "queue": "{queue}"\n}'
        told = f"Outputs will be a JSON object with the following fields.\n\n{shown}"
        return f"{before}{told}{after}"
    if message.role == "assistant":
        return json.dumps(dict(marked_format.read_fields(message.content)))
    return message.content.replace(
        "Respond with the corresponding output fields, starting with `[[ ## queue ## ]]`.",
        "Respond with a JSON object in the following order of fields: `reasoning`, then `queue`.",
    )


def test_a_reasoning_field_comes_first_and_is_not_empty():
    here = world(0)
    reply = MODEL.reply(marked(here, "Sort the note.", here.test[0][0], reasoning=True), {})
    fields = marked_format.read_fields(reply)
    assert [name for name, _ in fields] == ["reasoning", "queue"]
    assert fields[0][1]


def test_plain_reasoning_and_answer_stand_between_their_tags():
    system = (
        "Sort.\n\nFirst write your reasoning between <reasoning> and </reasoning>, then exactly "
        "one of these values and nothing else between <answer> and </answer>:\n- Q1\n- Q2"
    )
    said = "<reasoning>\nSo.\n</reasoning>\n<answer>\nQ2\n</answer>"
    demo = [Message("user", "<a>\nfalamik\n</a>"), Message("assistant", said)]
    asked = [Message("system", system), *demo, Message("user", "<a>\nfalamik\n</a>")]
    reasoning, _, answer = MODEL.reply(asked, {}).partition("\n<answer>\n")
    assert answer == "Q2\n</answer>"
    assert reasoning.removeprefix("<reasoning>\n").removesuffix("\n</reasoning>")


def test_values_that_look_like_tags_stay_whole():
    value = "one\n</a>\nmore\n<b>\ninner\n</b> tail"
    content = f"<a>\n{value}\n</a>\n\n<b>\nx\n</b>"
    assert plain_format.read_fields(content) == (("a", value), ("b", "x"))


def test_a_message_without_tags_is_one_input():
    assert plain_format.read_fields("just text") == (("input", "just text"),)


def test_a_corrective_retry_is_answered_as_the_question_was():
    here = world(0)
    messages = classification(here, here.instruction(), here.test[0][0], here.train[:2])
    complaint = "Your reply could not be used: it is no label. Reply again."
    again = [*messages, Message("assistant", "huh"), Message("user", complaint)]
    assert MODEL.reply(again, {}) == MODEL.reply(messages, {})


def test_booleans_and_numbers():
    for wanted, allowed in (("`true` or `false`", {"true", "false"}), ("one whole number", {"17"})):
        system = f"Look.\n\nReply with {wanted} and nothing else."
        text = "<a>\nThere are 17 of them.\n</a>"
        assert MODEL.reply([Message("system", system), Message("user", text)], {}) in allowed
