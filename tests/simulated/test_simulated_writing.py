"""Free text: directives are obeyed where their condition holds, demos lend sentences and habits."""

from __future__ import annotations

import pytest

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.simulated.model import SimulatedModel

MODEL = SimulatedModel("small")


def write(instruction, demos=(), **inputs):
    def tagged(fields):
        return "\n\n".join(f"<{name}>\n{value}\n</{name}>" for name, value in fields.items())

    messages = [Message("system", instruction)]
    for fields, output in demos:
        messages += [Message("user", tagged(fields)), Message("assistant", output)]
    return MODEL.reply([*messages, Message("user", tagged(inputs))], {})


NOTE = "Good morning. The falamik of order 4711 is torn. Greetings to all."


@pytest.mark.parametrize(
    "rule",
    [
        "If the kind is rain, say that umbrellas take five working days.",
        "For rain notes, say that umbrellas take five working days.",
        'If the kind is rain, say "Umbrellas take five working days."',
        "Tell the reader that umbrellas take five working days when the kind is rain.",
        "- rain: mention that umbrellas take five working days",
    ],
)
def test_a_directive_holds_where_its_condition_does(rule):
    instruction = f"Write a reply to the note.\n{rule}"
    assert "mbrellas take five working days" in write(instruction, note=NOTE, kind="rain")
    assert "mbrellas take five working days" not in write(instruction, note=NOTE, kind="snow")
    assert "mbrellas" not in write("Write a reply to the note.", note=NOTE, kind="rain")


def test_a_condition_on_the_text():
    instruction = "Write a reply. If the note mentions a falamik, tell them that it will be sewn."
    assert "It will be sewn." in write(instruction, note=NOTE, kind="rain")
    assert "sewn" not in write(instruction, note="The torobak is blue.", kind="rain")


def test_unconditional_directives_and_identifiers():
    instruction = "Write a reply. Always mention the order number. Never promise a discount."
    reply = write(instruction, note=NOTE)
    assert "4711" in reply
    assert "discount" not in reply


def test_demos_show_what_is_said_for_which_kind_and_what_is_copied():
    demos = [
        (
            {"note": "My order 1200 leaks.", "kind": "rain"},
            "About 1200. Umbrellas take five working days.",
        ),
        ({"note": "Order 1300 is cold.", "kind": "snow"}, "About 1300. Gloves are on their way."),
        (
            {"note": "Order 1400 dripped.", "kind": "rain"},
            "About 1400. Umbrellas take five working days.",
        ),
        ({"note": "The order 1500 froze.", "kind": "snow"}, "About 1500. Gloves are on their way."),
    ]
    for kind, said, unsaid in (("rain", "Umbrellas", "Gloves"), ("snow", "Gloves", "Umbrellas")):
        reply = write("Write a reply.", demos, note=NOTE, kind=kind)
        assert said in reply
        assert unsaid not in reply
        assert "4711" in reply
        assert "1200" not in reply


def test_a_summary_follows_the_instruction_instead_of_the_place():
    plain = write("Summarise the note in one sentence.", note=NOTE)
    told = write(
        "Summarise the note in one sentence. Keep what it says of falamik or torobak.", note=NOTE
    )
    assert plain == "Good morning."
    assert told == "The falamik of order 4711 is torn."


def test_a_summary_follows_the_habit_of_demos():
    demos = [
        (
            {"note": "Good day. The torobak fell down and is torn. Greetings."},
            "The torobak fell down and is torn.",
        ),
        ({"note": "Good evening. My falamik burnt. Greetings."}, "My falamik burnt."),
        (
            {"note": "Good day. The bubuk of order 17 is torn. Greetings."},
            "The bubuk of order 17 is torn.",
        ),
    ]
    assert write("Summarise.", demos, note=NOTE) == "The falamik of order 4711 is torn."


def test_a_short_answer_that_demos_share_is_chosen_not_written():
    demos = [
        ({"note": "falamik one"}, "green"),
        ({"note": "torobak two"}, "blue"),
        ({"note": "falamik three"}, "green"),
    ]
    assert write("Which colour?", demos, note="a falamik again") == "green"


def test_replies_are_bounded():
    rules = "\n".join(f"Always say that number {n} {'matters ' * 30}." for n in range(60))
    assert len(write(f"Write a reply.\n{rules}", note=NOTE)) <= 1200
