"""The worlds: each has another need, and each seed draws it anew.

- `named`: labels whose names say something of what belongs to them;
- `opaque`: labels that are bare codes: the committed prompts solve few cases, by luck;
- `conditional`: a house rule with precedence, a few words in long texts that look alike: examples
  mislead, an instruction can carry it;
- `staged`: a first stage that picks a sentence, and a second that sees nothing else;
- `intents`: many labels, each asked for in several wordings whose words other labels share: no
  line of an instruction says what belongs to a label, and the row most like a new one does.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import task_files, vocabulary
from benchmarks.comparison.world import Stage, World, drawn, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def named(seed: int) -> World:
    """Letters to a town hall, sorted by the department's name."""
    rng = random.Random(f"named/{seed}")
    labels = sorted(rng.sample(sorted(vocabulary.DEPARTMENTS), 6))
    cues = {label: rng.sample(vocabulary.DEPARTMENTS[label], 7) for label in labels}

    def write(rng: random.Random, label: str) -> Mapping[str, str]:
        one, two = rng.sample(cues[label], 2)
        other = rng.choice(cues[rng.choice(labels)])
        parts = [
            rng.choice(vocabulary.LETTER_OPENINGS),
            rng.choice(vocabulary.LETTER_CUES).format(one, two),
        ]
        if rng.random() < 0.25:
            parts.append(rng.choice(vocabulary.LETTER_ASIDES).format(other))
        if rng.random() < 0.4:
            parts.append(f"I suppose that {label} is the word for it")
        body = parts[1:]
        rng.shuffle(body)
        return {"letter": " ".join(sentence(part) for part in [parts[0], *body])}

    stage = Stage(
        "choose_department",
        "Choose the department of the town hall that answers the letter.",
        ("letter",),
        "department",
        tuple(labels),
    )
    return drawn("named", seed, [stage], write, dict.fromkeys(labels, 1))


def opaque(seed: int) -> World:
    """Orders of spare parts, sorted by the code of the shelf."""
    rng = random.Random(f"opaque/{seed}")
    groups = rng.sample(sorted(vocabulary.PARTS), 6)
    numbers = rng.sample(range(11, 99), 6)
    codes = [f"{rng.choice('BDFHKLMRTVX')}{number}" for number in numbers]
    cues = {
        code: rng.sample(vocabulary.PARTS[group], 7)
        for code, group in zip(codes, groups, strict=True)
    }

    def write(rng: random.Random, code: str) -> Mapping[str, str]:
        text = rng.choice(vocabulary.ORDER_LINES).format(*rng.sample(cues[code], 3))
        if rng.random() < 0.3:
            text += f"; {rng.choice(vocabulary.ORDER_ASIDES)}"
        place, use = rng.choice(vocabulary.PLACES), rng.choice(vocabulary.USES)
        return {"order": sentence(text), "remark": sentence(f"for the {place}, {use}")}

    stage = Stage(
        "choose_shelf",
        "Choose the shelf from which the order is served.",
        ("order", "remark"),
        "shelf",
        tuple(sorted(codes)),
    )
    return drawn("opaque", seed, [stage], write, dict.fromkeys(sorted(codes), 1))


def conditional(seed: int) -> World:
    """Customs declarations: hold words beat inspect words, which beat everything else."""
    rng = random.Random(f"conditional/{seed}")
    triggers = rng.sample(vocabulary.GOODS, 8)
    hold, inspect = triggers[:4], triggers[4:]
    harmless = [word for word in vocabulary.GOODS if word not in triggers]

    def write(rng: random.Random, label: str) -> Mapping[str, str]:
        said = rng.sample(harmless, 7)
        if label == "hold":
            said += rng.sample(hold, rng.choice((1, 2)))
            said += rng.sample(inspect, rng.choice((0, 0, 1)))
        elif label == "inspect":
            said += rng.sample(inspect, rng.choice((1, 2)))
        rng.shuffle(said)
        halves = ", ".join(said[:4]), ", ".join(said[4:])
        frame = rng.choice(vocabulary.DECLARATIONS)
        return {"declaration": frame.format(*halves, rng.choice(vocabulary.CARRIERS))}

    labels = ("hold", "inspect", "release")
    stage = Stage(
        "decide",
        "Decide what is done with the parcel.",
        ("declaration",),
        "action",
        labels,
    )
    return drawn("conditional", seed, [stage], write, dict(zip(labels, (4, 3, 3), strict=True)))


def staged(seed: int) -> World:
    """Logs of a ship: the first stage notes one sentence, the second sends a crew by it."""
    rng = random.Random(f"staged/{seed}")
    labels = sorted(rng.sample(sorted(vocabulary.CREWS), 5))
    cues = {label: rng.sample(vocabulary.CREWS[label], 6) for label in labels}
    markers = rng.sample(vocabulary.FINDINGS, 3)

    def spoken(rng: random.Random, label: str, frames: Sequence[str]) -> str:
        """Return a sentence on two things of a crew's; most say the crew's name."""
        place = f" in the {label}" if rng.random() < 0.6 else ""
        return rng.choice(frames).format(*rng.sample(cues[label], 2)) + place

    def write(rng: random.Random, label: str) -> Mapping[str, str]:
        found = f"{rng.choice(markers)} {spoken(rng, label, vocabulary.FOUND)}"
        others = rng.sample([other for other in labels if other != label], rng.choice((1, 1, 2)))
        routine = [spoken(rng, other, vocabulary.ROUTINE) for other in others]
        parts = [*routine, *rng.sample(vocabulary.WEATHER, 3)]
        rng.shuffle(parts)
        parts.insert(rng.randrange(len(parts) + 1), found)
        return {"log": " ".join(sentence(part) for part in parts)}

    first = Stage("note", "Note what the log is about, in one sentence.", ("log",), "remark")
    second = Stage(
        "send_crew", "Choose the crew that has to come.", ("remark",), "crew", tuple(labels)
    )
    return drawn("staged", seed, [first, second], write, dict.fromkeys(labels, 1))


def intents(seed: int) -> World:
    """Messages to a bank: a wording of an intent is known by its words together, not by one."""
    rng = random.Random(f"intents/{seed}")
    words = rng.sample(vocabulary.BANKING, 30)
    labels = sorted(rng.sample(words, 12))
    # An intent's first wording speaks of what its name says, the others of anything.
    wordings = {
        label: [[label, *rng.sample(words, 2)], *(rng.sample(words, 3) for _ in range(3))]
        for label in labels
    }

    def write(rng: random.Random, label: str) -> Mapping[str, str]:
        (wording,) = rng.choices(wordings[label], (4, 3, 2, 1))
        text = rng.choice(vocabulary.MESSAGES).format(*rng.sample(wording, 3))
        parts = [rng.choice(vocabulary.MESSAGE_OPENINGS), text]
        if rng.random() < 0.3:
            parts.append(rng.choice(vocabulary.MESSAGE_ENDS))
        return {"message": " ".join(sentence(part) for part in parts)}

    stage = Stage(
        "choose_intent", "Choose the intent of the message.", ("message",), "intent", tuple(labels)
    )
    return drawn("intents", seed, [stage], write, dict.fromkeys(labels, 1))


WORLDS: Mapping[str, Callable[[int], World]] = {
    "named": named,
    "opaque": opaque,
    "conditional": conditional,
    "staged": staged,
    "intents": intents,
}


def world_of(name: str, seed: int, rows: int | None = None) -> World:
    """Return the draw of the world, or the task of the file whose path `name` is.

    A task has the same rows for every seed; `rows` limits them.
    """
    return WORLDS[name](seed) if name in WORLDS else task_files.read(Path(name), rows)
