"""Learns from shown examples which words go with which value, as an instruction writer would."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pytest_mipro.simulated.formats.task import Fields, joined
from pytest_mipro.simulated.language.english import (
    SPEECH_WORDS,
    STOP_WORDS,
    stem,
    stems,
    weight,
    words,
)
from pytest_mipro.simulated.proposing.shown import Shown

_EQUALITY = re.compile(
    r"(['\"])(?P<left>[^'\"\n]*)\1(?:>)?\s*==\s*"
    r"(?:<[\w.]+: )?(['\"])(?P<right>[^'\"\n]*)\3"
)
_EXPECTED = re.compile(
    r"\b(?:expected|should (?:have been|be)|correct (?:answer|label|output|value)"
    r"(?: is| was)?|wanted)\b[:\s]*"
    r"(?:[`'\"](?P<quoted>[^`'\"\n]+)[`'\"]|[`'\"]?(?P<value>[\w-]+(?: [\w-]+)?))",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"\b(?:not (?:mention|contain|include|say|state)|missing|misses|lacks?|"
    r"without|omits?|not in|forgot)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"")


def expected(example: Shown, labels: frozenset[str]) -> str | None:
    """Return the value that a failing example's feedback names as the right one, if any."""
    if example.wanted:
        return example.wanted
    output = example.output.strip()
    for match in _EQUALITY.finditer(example.feedback):
        sides = [match["left"], match["right"]]
        others = [side for side in reversed(sides) if side.casefold() != output.casefold()]
        if others:
            return others[0]
    told = _EXPECTED.search(example.feedback)
    if told:
        if told["quoted"]:
            return told["quoted"].strip()
        value = told["value"]
        named = [
            label
            for label in sorted(labels)
            if re.match(re.escape(label) + r"(?!\w)", value, re.IGNORECASE)
        ]
        return max(named, key=len) if named else value.split()[0]
    quoted = {label for label in labels if names_a_label(example.feedback, [label])}
    rest = quoted - {output}
    return rest.pop() if len(rest) == 1 else None


def names_a_label(text: str, labels: Iterable[str]) -> bool:
    """Return whether one of the labels stands in the text as a word of its own."""
    return any(re.search(rf"(?<![\w-]){re.escape(label)}(?![\w-])", text) for label in labels)


def missing(feedback: str) -> list[str]:
    """Return the texts that the feedback says the output lacks."""
    match = _MISSING.search(feedback)
    if not match:
        return []
    return [one or two for one, two in _QUOTED.findall(feedback[match.end() :])]


def cues(
    pairs: Sequence[tuple[str, str]], jitter: Callable[[str, str], float]
) -> dict[str, list[str]]:
    """Return for each class of (text, class) pairs its telling words, best first.

    Words are ranked by their log odds inside against outside the class, smoothed by a half
    (Haldane 1956), by what the word says, and by the writer's `jitter(class, stem)`.
    """
    surfaces: dict[str, Counter[str]] = {}
    inside: dict[str, Counter[str]] = {}
    sizes = Counter(label for _, label in pairs)
    for text, label in pairs:
        for word in words(text):
            if word not in STOP_WORDS and word not in SPEECH_WORDS and not word.isdigit():
                surfaces.setdefault(stem(word), Counter())[word] += 1
        inside.setdefault(label, Counter()).update(sorted(stems(text)))
    total = Counter[str]()
    for counter in inside.values():
        total.update(counter)
    found = {}
    for label, counter in inside.items():
        others = len(pairs) - sizes[label]
        scores = {}
        for base, count in counter.items():
            if base not in surfaces:
                continue
            odds = math.log((count + 0.5) / (sizes[label] + 1)) - math.log(
                (total[base] - count + 0.5) / (others + 1)
            )
            if odds > 0.4:
                scores[base] = odds * weight(base) * math.sqrt(count) + jitter(label, base)
        ranked = sorted(scores, key=lambda base: (-scores[base], base))
        found[label] = [surfaces[base].most_common(1)[0][0] for base in ranked]
    return found


def categorical(examples: Sequence[Fields]) -> list[str]:
    """Return the input fields that hold few distinct short values."""
    values: dict[str, list[str]] = {}
    for fields in examples:
        for name, value in fields:
            values.setdefault(name, []).append(value)
    return [
        name
        for name, seen in values.items()
        if len(set(seen)) <= max(2, len(seen) // 2) and all(0 < len(value) <= 32 for value in seen)
    ]


def separating(
    examples: Sequence[tuple[Fields, bool]], names: Sequence[str]
) -> tuple[str, str] | None:
    """Return the (field, value) under which nearly all true examples and few false ones lie."""
    best: tuple[float, tuple[str, str]] | None = None
    for name in names:
        for value in {dict(fields).get(name, "") for fields, _ in examples}:
            inside = [true for fields, true in examples if dict(fields).get(name, "") == value]
            hits, all_true = sum(inside), sum(true for _, true in examples)
            if not value or not hits:
                continue
            score = hits / all_true * hits / len(inside)
            if score > 0.5 and (best is None or score > best[0]):
                best = (score, (name, value))
    return best[1] if best else None


def frequent(texts: Sequence[str], count: int) -> list[str]:
    """Return the most frequent telling words of the texts, most frequent first."""
    seen = Counter[str]()
    for text in texts:
        seen.update(
            {w for w in words(text) if weight(w) > 0.5 and w not in SPEECH_WORDS and w.isalpha()}
        )
    return [word for word, _ in sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))[:count]]


def input_text(example: Shown) -> str:
    """Return the values of the example's inputs as one text."""
    return joined(example.inputs)
