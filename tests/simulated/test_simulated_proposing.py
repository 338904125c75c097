"""Asked for an instruction, the model writes one from the examples and feedback it is shown."""

from __future__ import annotations

import pytest
from simulated_worlds import accuracy, proposal_request, world

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.simulated.model import SimulatedModel

MODEL = SimulatedModel("small")
TIPS = ("", "Be creative.", "Keep it simple.", "Be very descriptive.", "The stakes are high.")


def proposals(here, count=3, temperature=0.7, **options):
    return [
        MODEL.reply(proposal_request(here, tip, **options), {"temperature": temperature}, sample)
        for tip in TIPS
        for sample in range(count)
    ]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_proposals_raise_accuracy_on_unseen_rows_and_differ_in_quality(seed):
    here = world(seed)
    bare = accuracy(here, "Sort the note.")
    written = proposals(here)
    scores = sorted(accuracy(here, text) for text in written)
    assert len(set(written)) >= 10
    assert scores[len(scores) // 2] > bare + 0.1
    assert scores[-1] - scores[0] > 0.08


def test_feedback_of_failures_teaches_too():
    here = world(0)
    request = proposal_request(here)
    silent = [
        Message(m.role, "\n".join(line for line in m.content.splitlines() if "assert" not in line))
        for m in request
    ]
    with_feedback = [accuracy(here, MODEL.reply(request, {"temperature": 1}, k)) for k in range(8)]
    without = [accuracy(here, MODEL.reply(silent, {"temperature": 1}, k)) for k in range(8)]
    assert sum(with_feedback) > sum(without) + 0.3


def test_the_current_instruction_is_kept_and_the_reply_is_bare():
    text = MODEL.reply(proposal_request(world(0)), {"temperature": 1}, 1)
    assert text.startswith("Sort the note.")
    assert "#" not in text
    assert "Example" not in text


def test_at_most_twelve_cue_words_a_label():
    for text in proposals(world(0)):
        assert all(len(line.replace(" or ", ", ").split(", ")) <= 12 for line in text.splitlines())


def test_rules_for_texts_come_from_feedback_and_carry_their_condition():
    blocks = []
    for index in range(8):
        kind = ("rain", "snow")[index % 2]
        lacking = {"rain": "five working days", "snow": "on their way"}[kind]
        blocks.append(
            f"### Example {index + 1}: score 0.00\nInput:\n"
            f"<note>\nOrder {4711 + index} is torn.\n</note>\n\n"
            f"<kind>\n{kind}\n</kind>\n\nOutput:\nThank you.\n\n"
            f"Feedback:\ndoes not mention ['{4711 + index}', '{lacking}']\n"
        )
    system = "You write the instruction of one module of a language model program."
    user = "## Current instruction\nWrite a reply to the note.\n\n## Examples\n" + "\n".join(blocks)
    request = [Message("system", system), Message("user", user)]
    written = {MODEL.reply(request, {"temperature": 0.5}, k) for k in range(6)}
    text = max(written, key=len)
    assert 'If the kind is rain, say "five working days".' in text
    assert 'If the kind is snow, say "on their way".' in text
    assert "Always mention the order number." in text

    note = "<note>\nOrder 99 broke.\n</note>\n\n<kind>\nrain\n</kind>"
    reply = MODEL.reply([Message("system", text), Message("user", note)], {})
    assert "five working days" in reply.lower()
    assert "99" in reply
    assert "on their way" not in reply.lower()


def test_examples_in_another_client_s_format_teach_as_well():
    here = world(0)
    tail = "Respond with the corresponding output fields, starting with `[[ ## queue ## ]]`."
    shown = "\n\n".join(
        f"### Example {n}: passed, score 1.00\nInput:\n<user_message>\n[[ ## note ## ]]\n{text}\n\n"
        f"{tail}\n</user_message>\n\nReply:\n[[ ## queue ## ]]\n{label}\n\n[[ ## completed ## ]]"
        for n, (text, label) in enumerate(here.train[:16])
    )
    bare = f"Sort the note. Reply with one of: {', '.join(here.labels)}"
    system = "You write the instruction of one module of a language model program."
    user = f"## Current instruction\n{bare}\n\n## Examples\n{shown}"
    request = [Message("system", system), Message("user", user)]
    instruction = MODEL.reply(request, {"temperature": 0.5})
    assert "[[ ##" not in instruction
    assert accuracy(here, instruction) > accuracy(here, bare) + 0.1


def test_other_clients_wording_is_understood():
    here = world(0)
    shown = "\n\n".join(f"Note: {text}\nQueue: {label}" for text, label in here.train[:16])
    system = (
        "Your input fields are:\n1. `task_demos` (str):\n2. `basic_instruction` (str):\n"
        "Your output fields are:\n1. `proposed_instruction` (str): Propose an instruction.\n"
        "All interactions will be structured in the following way.\n\n"
        "In adhering to this structure, your objective is: \n"
        "        Use the information below to generate a new instruction that will be used to "
        "prompt a Language Model to better solve the task."
    )
    user = f"[[ ## task_demos ## ]]\n{shown}\n\n[[ ## basic_instruction ## ]]\nSort the note."
    reply = MODEL.reply([Message("system", system), Message("user", user)], {"temperature": 0.5})
    assert reply.startswith("[[ ## proposed_instruction ## ]]\nSort the note.")
    instruction = reply.split("\n", 1)[1].replace("[[ ## completed ## ]]", "")
    assert accuracy(here, instruction) > accuracy(here, "Sort the note.") + 0.1


def test_one_message_with_fences_is_understood():
    here = world(0)
    shown = "\n\n".join(
        f"# Example {i}\n## Inputs\n### note\n{text}\n\n## Generated Outputs\nQ9\n\n"
        f"## Feedback\nThe correct answer is `{label}`."
        for i, (text, label) in enumerate(here.train[:16])
    )
    request = (
        "I provided an assistant with the following instructions to perform a task for me:\n"
        f"```\nSort the note.\n```\n\nHere are examples with feedback:\n```\n{shown}\n```\n\n"
        "Your task is to write a new instruction for the assistant. "
        "Provide the new instructions within ``` blocks."
    )
    reply = MODEL.reply([Message("user", request)], {"temperature": 0.5})
    assert reply.startswith("```\nSort the note.")
    assert reply.endswith("\n```")
    assert accuracy(here, reply.strip("`\n")) > accuracy(here, "Sort the note.") + 0.1


def test_descriptions_speak_of_what_they_see():
    rows = "\n\n".join(f"Row: the torobak of {n} broke near falamik" for n in range(6))
    system = (
        "You describe datasets of a language model program. Write your observations about the rows."
    )
    text = MODEL.reply([Message("system", system), Message("user", f"## Rows\n{rows}")], {})
    assert "torobak" in text
    assert len(text) < 400
    code = "def triage(note):\n    return sort(note)\n\ndef sort(note):\n    ..."
    system = "You describe programs that call language models."
    text = MODEL.reply([Message("system", system), Message("user", f"## Source\n{code}")], {})
    assert "triage" in text
    assert "sort" in text
