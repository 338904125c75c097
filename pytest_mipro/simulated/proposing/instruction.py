"""Writes an instruction from the examples and feedback that a request shows, when asked for one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.simulated.formats.plain_format import listed_labels, typed_labels
from pytest_mipro.simulated.formats.task import Mind, Task, joined
from pytest_mipro.simulated.language import noise
from pytest_mipro.simulated.language.english import listed, sentences, stems
from pytest_mipro.simulated.proposing.evidence import (
    cues,
    expected,
    input_text,
    missing,
    names_a_label,
)
from pytest_mipro.simulated.proposing.proposing_text import extract_rules, text_rules
from pytest_mipro.simulated.proposing.shown import (
    Shown,
    current_instruction,
    shown_examples,
)

MOST_EXAMPLES = 20
MOST_CUES = 12
HANDFUL = 6
_ASKED = re.compile(
    r"\b(?:writ|propos|improv|generat|rewrit|revis|produc|creat|craft)\w*\b[^.\n]{0,80}"
    r"\b(?:instruction|prompt)s?\b",
    re.IGNORECASE,
)
_ABOUT_MODELS = re.compile(
    r"\b(?:module|[Ll]anguage[- ][Mm]odels?|LMs?|LLMs?|assistant|LM programs?)\b"
)
_CHOOSE = (
    "Choose {label} when the {field} speaks of {cues}.",
    "{label}: {cues}.",
    "If the {field} mentions {cues}, choose {label}.",
    "What speaks of {cues} goes to {label}.",
)
_SET = "Set {name} to {label} when the {field} speaks of {cues}."


@dataclass(frozen=True)
class Taste:
    """How one draw writes: cue words a label, share of examples, carelessness, form."""

    cues: int
    share: float
    careless: float
    form: int

    @staticmethod
    def of(mind: Mind) -> Taste:
        """Return the taste of this draw: the request, so its tip too, and the sample shape it."""
        spread = 0.5 + min(mind.temperature, 1.5)
        return Taste(
            cues=noise.pick((3, 5, 8, 10, MOST_CUES), mind.draw, "cues"),
            share=1.0 - 0.5 * noise.uniform(mind.draw, "share"),
            careless=0.7 * spread * noise.uniform(mind.draw, "careless"),
            form=int(len(_CHOOSE) * noise.uniform(mind.draw, "form")),
        )


def is_asked(task: Task) -> bool:
    """Return whether the request asks to write an instruction for a model."""
    said = task.instruction
    if not said:
        text = joined(task.query)
        said = text[:400] + "\n" + text[-1200:]
    if any("instruction" in slot.name or "prompt" in slot.name for slot in task.slots):
        return bool(_ABOUT_MODELS.search(said))
    return bool(_ASKED.search(said)) and bool(_ABOUT_MODELS.search(said))


def propose(task: Task, messages: Sequence[Message], mind: Mind) -> str:
    """Return a new instruction: the current one's sentences, and what the examples teach."""
    text = "\n\n".join(value for _, value in task.query)  # one field's end is no other's line
    taste = Taste.of(mind)
    examples = _chosen(shown_examples(text), taste, mind)
    current = current_instruction(text, task.query)
    options = frozenset(listed_labels(text)) | frozenset(typed_labels(text))
    lines = _new_lines(examples, options, taste, mind)
    proposal = _joined(current, lines)
    fenced = "```" in messages[-1].content[-600:] and "within ```" in messages[-1].content[-600:]
    if any("<instruction>" in message.content for message in messages):
        return f"<instruction>\n{proposal}\n</instruction>"
    return f"```\n{proposal}\n```" if fenced else proposal


def _chosen(examples: list[Shown], taste: Taste, mind: Mind) -> list[Shown]:
    """Return the examples that this draw reads: a handful, or a random part of more.

    There is a limit to how many it can take in.
    """
    ranked = sorted(
        range(len(examples)),
        key=lambda i: noise.uniform(mind.draw, "read", i, input_text(examples[i])),
    )
    count = min(MOST_EXAMPLES, len(examples), max(HANDFUL, round(taste.share * len(examples))))
    return [examples[i] for i in sorted(ranked[:count])]


def _new_lines(
    examples: list[Shown], options: frozenset[str], taste: Taste, mind: Mind
) -> list[str]:
    if not examples:
        return []
    objects = [_as_object(example.output) for example in examples]
    if all(value is not None for value in objects):
        return _object_lines(
            examples, [value for value in objects if value is not None], taste, mind
        )
    if _are_labels(examples, options):
        labels = options | {example.output for example in examples}
        return _label_lines("", _labelled(examples, labels), examples, taste, mind)
    return text_rules(examples, taste.cues, taste.careless, mind)


def _as_object(output: str) -> dict[str, object] | None:
    try:
        value = json.loads(output)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _are_labels(examples: Sequence[Shown], options: frozenset[str]) -> bool:
    """Return whether the outputs look like values of a small set, such as `options` may name.

    They are short, and some are repeated; a handful of them need not be, if they say something
    that most of their inputs don't.
    """
    outputs = [example.output for example in examples]
    if len(set(outputs)) < 2 and any(missing(example.feedback) for example in examples):
        return False
    if any(len(output) > 40 or "\n" in output for output in outputs):
        return False
    if len(set(outputs)) < len(outputs) or set(outputs) <= options:
        return True
    copied = sum(example.output in input_text(example) for example in examples)
    return len(outputs) <= HANDFUL and 2 * copied <= len(outputs)


def _labelled(examples: Sequence[Shown], labels: frozenset[str]) -> list[tuple[str, str]]:
    pairs = []
    for example in examples:
        label = example.output if example.passed else expected(example, labels)
        if label is None and example.score > 0 and not names_a_label(example.feedback, labels):
            label = example.output  # what failed in part failed for something else
        if label is not None:
            pairs.append((input_text(example), label))
    return pairs


def _object_lines(
    examples: list[Shown], objects: list[dict[str, object]], taste: Taste, mind: Mind
) -> list[str]:
    """Return rules for each property of JSON outputs that has few distinct values."""
    lines = []
    for name in dict.fromkeys(key for value in objects for key in value):
        values = [(_spoken(value.get(name)), e) for value, e in zip(objects, examples, strict=True)]
        labels = frozenset(v for v, e in values if v is not None)
        if not labels or len(labels) > max(2, len(values) // 2):
            continue
        pairs = []
        for value, example in values:
            right = value if example.passed else _corrected(example, value, labels)
            if right is not None:
                pairs.append((input_text(example), right))
        lines += _label_lines(name, pairs, examples, taste, mind)
    flat = [replace(e, output=_flat(value)) for e, value in zip(examples, objects, strict=True)]
    return lines + extract_rules(flat, taste.cues, taste.careless, mind)


def _flat(value: object) -> str:
    """Return the texts of a JSON value as one text."""
    if isinstance(value, dict):
        return "\n".join(_flat(part) for part in value.values())
    if isinstance(value, list):
        return "\n".join(_flat(part) for part in value)
    return str(value)


def _corrected(example: Shown, value: str | None, labels: frozenset[str]) -> str | None:
    """Return the value that the feedback names for this property: one of the property's own."""
    if value is None or value not in re.findall(r"[\w-]+", example.feedback):
        return None
    right = expected(Shown(example.inputs, value, example.feedback, passed=False), labels)
    return right if right in labels else None


def _spoken(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) and len(value) <= 40 else None


def _label_lines(
    name: str, pairs: list[tuple[str, str]], examples: Sequence[Shown], taste: Taste, mind: Mind
) -> list[str]:
    def careless(label: str, word: str) -> float:
        return taste.careless * (noise.uniform(mind.draw, label, word) * 2 - 1) * 2

    field = max(examples[0].inputs, key=lambda pair: len(pair[1]))[0].replace("_", " ")
    field = "input" if field.endswith("s") else field  # so that the sentence stays English
    form = _SET if name else _CHOOSE[taste.form]
    lines = []
    for label, found in sorted(cues(pairs, careless).items()):
        if found:
            told = listed(found[: min(taste.cues, MOST_CUES)])
            lines.append(form.format(label=label, field=field, cues=told, name=name))
    return lines


def _joined(current: str, lines: list[str]) -> str:
    """Return the current instruction with the lines that it does not hold already."""
    known = stems(current)
    fresh = [line for line in lines if not stems(line) <= known]
    kept = current.strip() or ("Follow these rules." if fresh else "Read the input with care.")
    if len(sentences(kept)) > 14:
        kept = "\n".join(sentences(kept)[:14])
    return "\n".join([kept, *fresh])
