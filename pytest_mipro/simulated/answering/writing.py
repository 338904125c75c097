"""Writes free text: extracts from the input, obeys directives, and borrows sentences from demos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import fsum

from pytest_mipro.simulated.answering.deciding import field_stems
from pytest_mipro.simulated.answering.directives import Directive, directives
from pytest_mipro.simulated.answering.neighbours import SHORT_VALUE, demo_similarities
from pytest_mipro.simulated.answering.rules import covers
from pytest_mipro.simulated.formats.task import Fields, Mind, Question, joined
from pytest_mipro.simulated.language.english import (
    all_stems,
    as_sentence,
    sentences,
    stem,
    stems,
    weight,
)
from pytest_mipro.simulated.language.tokens import asked_for, copied_kinds, token_of_kind, tokens

MOST_SENTENCES = 8
MOST_CHARACTERS = 1200
_COUNTS = {"one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_COUNTED = re.compile(
    r"\b(?:(?P<number>\d)|(?P<word>one|single|two|three|four|five))(?:\s+\w+)?\s+sentences?\b",
    re.IGNORECASE,
)
_COMPOSED = re.compile(
    r"\b(?:reply|replies|respond|response|answer|letter|e-?mail|write to|draft|compose)\b",
    re.IGNORECASE,
)


def write_text(question: Question, mind: Mind) -> str:
    """Return the text that the question asks for; never empty where the input is not."""
    if _composes(question):
        return _bounded(_compose(question, mind))
    count = sentence_count(question)
    return (
        _bounded(extract(question, mind, count)) or joined(question.query).strip()[:MOST_CHARACTERS]
    )


def _composes(question: Question) -> bool:
    """Return whether the text is to be composed, not extracted: by words, or the demos' habit."""
    if _COMPOSED.search(question.instruction):
        return True
    if any(not directive.is_copy for directive in directives(question.instruction)):
        return True
    outputs = [(joined(fields), str(value)) for fields, value in question.demos]
    copied = sum(_own_share(given, written) for given, written in outputs)
    return copied < 0.6 * len(outputs)


def _own_share(given: str, written: str) -> float:
    """Return the share 0…1 of the written words that the input has too."""
    said = stems(written)
    return len(said & stems(given)) / len(said) if said else 1.0


def sentence_count(question: Question) -> int:
    """Return how many sentences are wanted: by the instruction, else by the demos, else 2."""
    match = _COUNTED.search(question.instruction)
    if match:
        return int(match.group("number") or _COUNTS[match.group("word").lower()])
    if question.demos:
        lengths = [len(sentences(str(value))) for _, value in question.demos]
        return max(1, round(sum(lengths) / len(lengths)))
    return 2


def extract(question: Question, mind: Mind, count: int) -> list[str]:
    """Return the `count` sentences of the input that matter most, in the input's order.

    A sentence matters by its place (a reader in a hurry stops early), by the words that the
    instruction and the name of the field care for, and by what the demos' outputs kept.
    """
    pool = _pool(question.query)
    if not pool:
        return []
    cares = stems(f"{question.name} {question.instruction}") - field_stems(question.query)
    kept, dropped = _demo_words(question.demos)
    wants = [d for d in directives(question.instruction) if d.is_copy]
    scores = {}
    for place, sentence in enumerate(pool):
        said = stems(sentence)
        score = 1.1 / (1 + place) + min(0.2, 0.03 * len(said))
        score += 0.9 * min(2.0, fsum(weight(word) for word in said & cares))
        score += 0.6 * fsum(kept.get(word, 0.0) - dropped.get(word, 0.0) for word in said)
        score += 0.6 * sum(bool(asked_for(want.content, sentence)) for want in wants)
        scores[place] = score + 0.25 * mind.jitter("extract", question.name, sentence)
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:count]
    return [as_sentence(pool[place]) for place in sorted(best)]


def _pool(query: Fields) -> list[str]:
    """Return the sentences of the input's longest field, or of all fields where none is long."""
    long = [value for _, value in query if len(value) > SHORT_VALUE]
    texts = long or [value for _, value in query]
    return [sentence for text in texts for sentence in sentences(text)]


def _demo_words(
    demos: Sequence[tuple[Fields, object]],
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the words that demos kept from their inputs and those that they dropped, by share."""
    kept: dict[str, float] = {}
    dropped: dict[str, float] = {}
    for fields, value in demos:
        written = stems(str(value))
        for word in stems(joined(fields)):
            side = kept if word in written else dropped
            side[word] = side.get(word, 0.0) + 1.0 / (1 + len(demos))
    return kept, dropped


def _compose(question: Question, mind: Mind) -> list[str]:
    """Return the sentences of a reply: opening, directives, demo sentences, identifiers."""
    obeyed = _obeyed(question)
    borrowed = borrow(question, mind)
    parts = [sentence for sentence in [*obeyed, *borrowed] if sentence]
    parts += _identifiers(question, " ".join(parts))
    if len(parts) < 2:
        echo = extract(question, mind, 1)
        parts = ["Thank you for your message.", *[f"You wrote: {text}" for text in echo], *parts]
    return list(dict.fromkeys(parts))


def _obeyed(question: Question) -> list[str]:
    """Return what the instruction's directives make the text say for this input."""
    said = []
    for directive in directives(question.instruction):
        if not _holds(directive, question.query):
            continue
        if directive.is_copy:
            found = asked_for(directive.content, joined(question.query))
            said += [f"{as_sentence(directive.content)[:-1]}: {', '.join(found)}."] if found else []
            continue
        said.append(directive.spoken())
    return said


def _holds(directive: Directive, query: Fields) -> bool:
    """Return whether the directive's condition holds; a short value that it names decides alone."""
    if not directive.condition:
        return True
    condition = all_stems(directive.condition)
    short = [all_stems(value) for _, value in query if 0 < len(value) <= SHORT_VALUE]
    if any(value and value <= condition for value in short):
        return True
    return covers(directive.condition, all_stems(joined(query)), _structure(query)) >= 0.99


def _structure(query: Fields) -> frozenset[str]:
    names = " ".join(name.replace("_", " ") for name, _ in query)
    return frozenset(stem(word) for word in names.split())


def borrow(question: Question, mind: Mind) -> list[str]:
    """Return sentences of the demos' outputs that fit this input, at most four.

    A sentence is reusable as far as it is not made of its own input's words. It counts by the
    similarity of its demo to the query, most where the short categorical inputs agree, and more
    where several such demos say it.
    """
    if not question.demos:
        return []
    alike = demo_similarities(question.query, [fields for fields, _ in question.demos])
    short = {name: value for name, value in question.query if 0 < len(value) <= SHORT_VALUE}
    scores: dict[str, float] = {}
    for (fields, value), near in zip(question.demos, alike, strict=True):
        agree = [dict(fields).get(name) == text for name, text in short.items()]
        kinship = float(near) + (0.6 * sum(agree) / len(agree) if agree else 0.0)
        for sentence in sentences(str(value)):
            if _reusable(sentence, fields, question.query):
                scores[sentence] = scores.get(sentence, 0.0) + kinship
    for sentence in scores:
        scores[sentence] += 0.08 * mind.jitter("borrow", sentence, joined(question.query))
    ranked = sorted(scores, key=scores.__getitem__, reverse=True)
    top = scores[ranked[0]] if ranked else 0.0
    return [sentence for sentence in ranked[:4] if scores[sentence] >= 0.45 * top]


def _reusable(sentence: str, own: Fields, query: Fields) -> bool:
    given = joined(own)
    if any(token in given for _, token, _ in tokens(sentence)):
        return False
    said = stems(sentence) - stems(joined(query))
    return not said or len(said & stems(given)) / len(said) < 0.6


def _identifiers(question: Question, written: str) -> list[str]:
    """Return a sentence with the identifiers that the demos would copy and the text still lacks."""
    pairs = [(joined(fields), str(value)) for fields, value in question.demos]
    text = joined(question.query)
    missing = [
        token
        for kind in sorted(copied_kinds(pairs))
        for token in token_of_kind(kind, text)
        if token not in written
    ]
    return [f"This is about {', '.join(dict.fromkeys(missing))}."] if missing else []


def _bounded(parts: list[str]) -> str:
    text = ""
    for part in parts[:MOST_SENTENCES]:
        if text and len(text) + len(part) >= MOST_CHARACTERS:
            break
        text = f"{text} {part}".strip()
    return text[:MOST_CHARACTERS]
