"""The same examples and feedback in the request of each optimiser, in its own words."""

from __future__ import annotations

import json

from simulated_worlds import World

from pytest_mipro.runtime.client.contract import Message

INSTRUCTION = "Sort the note."
Example = tuple[str, str, str]
"""A note, the label that was given, and the right one."""


def own(world: World, examples: list[Example]) -> list[Message]:
    """As pytest-mipro asks: headed blocks, with the assertion as feedback."""
    blocks = []
    for number, (text, given, right) in enumerate(examples, 1):
        head = f"### Example {number}: score {float(given == right):.2f}\n"
        feedback = "" if given == right else f"\nFeedback:\nassert {given!r} == {right!r}\n"
        blocks.append(f"{head}Input:\n<note>\n{text}\n</note>\n\nOutput:\n{given}\n{feedback}")
    system = (
        "You improve the instruction of one module of a program that is made of language-model "
        "calls. Reply with the new instruction alone: no heading, no quotes, no commentary."
    )
    labels = "\n".join(f"- {label}" for label in world.labels)
    user = (
        f"## Module\nsort(note) replies with exactly one of these values:\n{labels}\n\n"
        f"## Current instruction\n{INSTRUCTION}\n\n## Examples\n" + "\n".join(blocks)
    )
    return [Message("system", system), Message("user", user)]


def grounded(world: World, examples: list[Example]) -> list[Message]:
    """As MIPROv2 of DSPy 3.4 asks: solved examples among other fields, without feedback."""
    shown = "\n\n".join(f"Note: {text}\nQueue: {right}" for text, _, right in examples)
    values = {
        "dataset_description": "The notes are short.",
        "program_code": _CODE.format(labels=", ".join(map(repr, world.labels))),
        "program_description": "The program consists of Sort and Program.",
        "module": "Predict(note) -> queue",
        "module_description": "It sorts.",
        "task_demos": shown + "\n\n\n",
        "basic_instruction": INSTRUCTION,
        "tip": 'Include a persona that is relevant to the task (ie. "You are a ...")',
    }
    said = "proposed_instruction` (str): Propose an instruction to prompt a Language Model."
    user = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in values.items())
    return _marked(
        list(values),
        said,
        "Use the information below to learn about a task that we are trying to solve using calls "
        "to an LM, then generate a new instruction that will be used to prompt a Language Model to "
        "better solve the task.",
        f"{user}\n\nRespond with the corresponding output fields, starting with the field "
        "`[[ ## proposed_instruction ## ]]`, and then ending with the marker for "
        "`[[ ## completed ## ]]`.",
    )


_CODE = '''class Sort(dspy.Signature):
    """Sort the note."""

    note: str = dspy.InputField()
    queue: Literal[{labels}] = dspy.OutputField()


class Program(dspy.Module):
    def forward(self, note):
        return self.sort(note=note)
'''


def _marked(inputs: list[str], output: str, objective: str, user: str) -> list[Message]:
    name = output.partition("`")[0]
    listed = "\n".join(f"{i}. `{one}` (str):" for i, one in enumerate(inputs, 1))
    places = "\n\n".join(f"[[ ## {one} ## ]]\n{{{one}}}" for one in [*inputs, name])
    system = (
        f"Your input fields are:\n{listed}\nYour output fields are:\n1. `{output}\n"
        "All interactions will be structured in the following way, with the appropriate values "
        f"filled in.\n\n{places}\n\n[[ ## completed ## ]]\n"
        f"In adhering to this structure, your objective is: \n        {objective}"
    )
    return [Message("system", system), Message("user", user)]


def feedback(given: str, right: str) -> str:
    """Return what a user's metric might say."""
    if given == right:
        return f"Correct: it is {right!r}."
    return f"Incorrect: the answer was {given!r}, but the correct answer is {right!r}."


_REFLECT = (
    "Your task is to write a new instruction for the assistant.\n\nRead the inputs carefully and "
    "identify the input format. Read all the assistant responses and the corresponding feedback."
)


def reflective_json(world: World, examples: list[Example]) -> list[Message]:
    """As GEPA of DSPy 3.4 asks: a list of JSON records, and a JSON object is wanted."""
    del world
    records = [
        {
            "Inputs": {"note": text},
            "Generated Outputs": {"queue": given},
            "Feedback": feedback(given, right),
        }
        for text, given, right in examples
    ]
    system = (
        "Your input fields are:\n1. `current_instruction` (str): The instructions.\n"
        "2. `examples_with_feedback` (list[dict[str, Any]]): Task inputs provided to the assistant."
        "\nYour output fields are:\n1. `new_instruction` (str): The new instruction.\n"
        "All interactions will be structured in the following way, with the appropriate values "
        "filled in.\n\nInputs will have the following structure:\n\n"
        "[[ ## current_instruction ## ]]\n{current_instruction}\n\n"
        "[[ ## examples_with_feedback ## ]]\n{examples_with_feedback}\n\n"
        "Outputs will be a JSON object with the following fields.\n\n"
        '{\n  "new_instruction": "{new_instruction}"\n}\n'
        "In adhering to this structure, your objective is: \n        I provided an assistant with "
        f"instructions to perform a task for me.\n\n        {_REFLECT}"
    )
    user = (
        f"[[ ## current_instruction ## ]]\n{INSTRUCTION}\n\n"
        f"[[ ## examples_with_feedback ## ]]\n{json.dumps(records)}\n\n"
        "Respond with a JSON object in the following order of fields: `new_instruction`."
    )
    return [Message("system", system), Message("user", user)]


def reflective_text(world: World, examples: list[Example]) -> list[Message]:
    """As the package gepa asks by itself: one message, with fences."""
    del world
    shown = "\n\n".join(
        f"# Example {number}\n## Inputs\n### note\n{text}\n\n"
        f"## Generated Outputs\n### queue\n{given}\n\n## Feedback\n{feedback(given, right)}\n\n"
        for number, (text, given, right) in enumerate(examples, 1)
    )
    request = (
        "I provided an assistant with the following instructions to perform a task for me:\n"
        f"```\n{INSTRUCTION}\n```\n\nThe following are examples of different task inputs:\n"
        f"```\n{shown}\n```\n\n{_REFLECT}\n\nProvide the new instructions within ``` blocks."
    )
    return [Message("user", request)]


FORMATS = {
    "own": own,
    "grounded": grounded,
    "reflective_json": reflective_json,
    "reflective_text": reflective_text,
}


def instruction_of(reply: str) -> str:
    """Return the instruction in a reply of any of the formats, as their clients take it out."""
    if reply.startswith("{"):
        return str(json.loads(reply)["new_instruction"])
    bare = reply.removeprefix("[[ ## proposed_instruction ## ]]")
    return bare.removesuffix("[[ ## completed ## ]]").strip().strip("`").strip()
