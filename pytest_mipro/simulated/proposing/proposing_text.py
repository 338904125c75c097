"""Writes the rules of an instruction for free text: what to mention, when, and what to keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pytest_mipro.simulated.formats.task import Mind
from pytest_mipro.simulated.language import noise
from pytest_mipro.simulated.language.english import (
    SPEECH_WORDS,
    listed,
    sentences,
    stems,
    weight,
    words,
)
from pytest_mipro.simulated.language.tokens import tokens
from pytest_mipro.simulated.proposing.evidence import (
    categorical,
    cues,
    input_text,
    missing,
    separating,
)
from pytest_mipro.simulated.proposing.shown import Shown

MOST_RULES = 8


def text_rules(examples: Sequence[Shown], count: int, careless: float, mind: Mind) -> list[str]:
    """Return sentences that say what the text has to mention and keep, at most a handful.

    `count` is how many cue words a sentence may name; a `careless` writer leaves rules out.
    """
    rules = [*_mention_rules(examples, count, mind), *_shared_rules(examples)]
    kept = [rule for rule in rules if noise.uniform(mind.draw, "rule", rule) >= 0.35 * careless]
    rules = [*dict.fromkeys(kept)][:MOST_RULES]
    return rules or _keep_rules(examples, count, careless, mind)


def extract_rules(examples: Sequence[Shown], count: int, careless: float, mind: Mind) -> list[str]:
    """Return sentences that say what to keep of the input, for outputs that are made of it."""
    named = [
        f"Always mention the {what}."
        for example in examples
        for text in missing(example.feedback)
        if (what := _called(text, example))
    ]
    return [*dict.fromkeys(named)][:3] + _keep_rules(examples, count, careless, mind)


def _mention_rules(examples: Sequence[Shown], count: int, mind: Mind) -> list[str]:
    """Return a rule for each text that feedback says is missing, by how often it is."""
    lacking = [(example, missing(example.feedback)) for example in examples]
    wanted = Counter(text for _, texts in lacking for text in sorted(set(texts)))
    rules = []
    for example, texts in lacking:
        rules += [
            f"Always mention the {what}." for text in texts if (what := _called(text, example))
        ]
    for text, _ in wanted.most_common():
        affected = [(e, text in texts) for e, texts in lacking if texts or text in e.output]
        affected = [(e, true or text in e.output) for e, true in affected]
        own = [e for e, texts in lacking if text in texts and text in input_text(e)]
        if not own:
            rules.append(_conditioned(text, affected, examples, count, mind))
    return rules


def _called(text: str, example: Shown) -> str:
    """Return what a missing identifier of the example's input is called, "" if none."""
    for kind, token, neighbour in tokens(input_text(example)):
        if token in text or text in token:
            spoken = _surface(neighbour, input_text(example))
            called = "number" if kind == "code" else kind
            return f"{spoken} {called}".strip() if spoken and spoken != called else called
    return ""


def _surface(base: str, text: str) -> str:
    return next((w for w in words(text) if base and w.startswith(base[:5]) and weight(w) > 0.5), "")


def _conditioned(
    text: str, affected: list[tuple[Shown, bool]], examples: Sequence[Shown], count: int, mind: Mind
) -> str:
    """Return "If …, mention …" with the condition that tells where the text is wanted."""
    names = categorical([e.inputs for e in examples])
    told = {id(e): true for e, true in affected}
    marked = [(e.inputs, told.get(id(e), False)) for e in examples if id(e) in told or e.passed]
    share = sum(true for _, true in marked) / max(1, len(marked))
    if share > 0.8:
        return f'Always say "{text}".'
    where = separating(marked, names)
    if where:
        return f'If the {where[0].replace("_", " ")} is {where[1]}, say "{text}".'
    pairs = [("\n".join(v for _, v in fields), "yes" if true else "no") for fields, true in marked]
    found = cues(pairs, lambda label, word: 0.3 * noise.uniform(mind.draw, label, word)).get(
        "yes", []
    )
    return (
        f'If it mentions {listed(found[:count])}, say "{text}".'
        if found
        else f'Always say "{text}".'
    )


def _shared_rules(examples: Sequence[Shown]) -> list[str]:
    """Return rules for sentences that several passing outputs share and no input holds."""
    passing = [e for e in examples if e.passed]
    failing = [e for e in examples if not e.passed]
    seen: dict[str, list[Shown]] = {}
    for example in passing:
        for sentence in sorted(set(sentences(example.output))):
            if sentence not in input_text(example):
                seen.setdefault(sentence, []).append(example)
    names = categorical([e.inputs for e in examples])
    rules = []
    for sentence, holders in sorted(seen.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        rate = sum(sentence in e.output for e in failing) / max(1, len(failing))
        if len(holders) < 2 or rate >= len(holders) / len(passing):
            continue  # bad outputs say it as often: it is not what made these good
        where = separating([(e.inputs, e in holders) for e in passing], names)
        if len(holders) > 0.8 * len(passing):
            rules.append(f'Always say "{sentence}"')
        elif where:
            rules.append(f'If the {where[0].replace("_", " ")} is {where[1]}, say "{sentence}"')
    return rules[:4]


def _keep_rules(examples: Sequence[Shown], count: int, careless: float, mind: Mind) -> list[str]:
    """Return the rule that names what to keep of the input, where outputs are made of it.

    Words count for it that good outputs kept and bad ones dropped, and against it the reverse.
    """
    copied = [
        e
        for e in examples
        if len(stems(e.output) & stems(input_text(e))) * 2 > len(stems(e.output))
    ]
    if len(copied) * 2 < len(examples):
        return []
    scores: Counter[str] = Counter()
    surfaces: dict[str, str] = {}
    for example in copied:
        written = stems(example.output)
        for word in dict.fromkeys(words(input_text(example))):
            base = next(iter(stems(word)), "")
            if not base or weight(word) < 0.5 or word in SPEECH_WORDS or not word.isalpha():
                continue
            surfaces.setdefault(base, word)
            scores[base] += 2 if (base in written) == example.passed else -2
    ranked = sorted(
        (base for base, score in scores.items() if score > 0),
        key=lambda base: (
            -(scores[base] * weight(base)) * (1 - careless * noise.uniform(mind.draw, base))
        ),
    )
    found = [surfaces[base] for base in ranked[:count]]
    return [f"Keep what it says of {listed(found)}."] if found else []
