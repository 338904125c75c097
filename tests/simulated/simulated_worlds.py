"""Small synthetic worlds with made-up words: what a label means is known to the test alone."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.simulated.model import SimulatedModel

CONSONANTS, VOWELS = "bdfgklmnprtvz", "aiou"
FORMAT = "Reply with exactly one of these values and nothing else:\n"


def made_up_words(rng: random.Random, count: int) -> list[str]:
    found: set[str] = set()
    while len(found) < count:
        found.add("".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(3)) + "k")
    return sorted(found)


@dataclass(frozen=True)
class World:
    """A text holds two cue words of its label among words that mean nothing."""

    labels: tuple[str, ...]
    cues: dict[str, list[str]]
    train: list[tuple[str, str]]
    test: list[tuple[str, str]]

    def instruction(self, count: int = 6) -> str:
        cues = {label: ", ".join(cues[:count]) for label, cues in self.cues.items()}
        rules = [f"Choose {label} for {cues[label]}." for label in self.labels]
        return "Sort the note.\n" + "\n".join(rules)


def world(seed: int = 0, labels: tuple[str, ...] = ("Q1", "Q2", "Q3", "Q4")) -> World:
    rng = random.Random(seed)
    vocabulary = made_up_words(rng, 6 * len(labels) + 30)
    rng.shuffle(vocabulary)
    cues = {label: vocabulary[6 * i : 6 * i + 6] for i, label in enumerate(labels)}
    filler = vocabulary[6 * len(labels) :]

    def text(label: str) -> str:
        said = rng.sample(cues[label], 2) + rng.sample(filler, 4)
        rng.shuffle(said)
        return " ".join(said)

    rows = [(text(label), label) for label in labels for _ in range(45)]
    rng.shuffle(rows)
    return World(labels, cues, rows[:60], rows[60:])


def classification(
    world: World, instruction: str, text: str, demos: list[tuple[str, str]] | None = None
) -> list[Message]:
    options = "\n".join(f"- {label}" for label in world.labels)
    messages = [Message("system", f"{instruction}\n\n{FORMAT}{options}")]
    for shown, label in demos or []:
        messages += [Message("user", f"<note>\n{shown}\n</note>"), Message("assistant", label)]
    return [*messages, Message("user", f"<note>\n{text}\n</note>")]


def accuracy(
    world: World,
    instruction: str,
    demos: list[tuple[str, str]] | None = None,
    model: SimulatedModel | None = None,
) -> float:
    model = model or SimulatedModel("small")
    right = [
        model.reply(classification(world, instruction, text, demos), {}) == label
        for text, label in world.test
    ]
    return sum(right) / len(right)


def proposal_request(world: World, tip: str = "Be simple.", *, wrong: bool = True) -> list[Message]:
    """Show 20 training rows; every second one as a failure with feedback."""
    blocks = []
    for index, (text, label) in enumerate(world.train[:20]):
        said = world.labels[(world.labels.index(label) + 1) % len(world.labels)]
        failed = wrong and index % 2 == 1
        output, score = (said, "0.00") if failed else (label, "1.00")
        given = f"Input:\n<note>\n{text}\n</note>\n\nOutput:\n{output}\n"
        block = f"### Example {index + 1}: score {score}\n{given}"
        blocks.append(block + (f"\nFeedback:\nassert '{said}' == '{label}'\n" if failed else ""))
    system = (
        "You write the instruction of one module of a language model program. Reply with the new "
        f"instruction alone: no heading, no quotes, no commentary. {tip}"
    )
    user = (
        "## Dataset\nNotes.\n\n## Program\nOne step.\n\n## Module\nsort\n\n"
        "## Current instruction\nSort the note.\n\n## Examples\n" + "\n".join(blocks)
    )
    return [Message("system", system), Message("user", user)]
