"""Reads what an instruction says of each label: conditions, lists, preferences, defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pytest_mipro.simulated.language.english import (
    SPEECH_WORDS,
    STOP_WORDS,
    all_stems,
    sentences,
    stem,
    weight,
    words,
)

Word = tuple[str, float]

_STARTER = re.compile(
    r"\b(?:if|when|whenever|where|once|as soon as|in case|for|unless|about|covers?|means|is for)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:if|when|whenever|unless|in case|only for|for|where)\b", re.IGNORECASE
)
_TARGET_BEFORE = re.compile(
    r"(?:\b(?:choose|pick|select|use|answer|reply|respond|return|output|label|classify|assign|route|"
    r"send|give|say|write|mark|call|prefer|be|is|are|as|go(?:es)?|belongs?|falls?|counts?|default)\b"
    r"[^\w`'\"]*(?:\b(?:with|it|this|that|them|to|into|in|as|the|a|an|under|for|label|value|is|both|"
    r"input|text|always|only)\b\W*){0,4}|->|→|=>|⇒|=)\s*[`'\"(]*\Z",
    re.IGNORECASE,
)
_TARGET_AFTER = re.compile(
    r"\A[`'\")]*\s*(?::|-+>?\s|[\u2013\u2014]|=|\(|(?:is|are)\s+(?:for|about|when|if|any|the|right|chosen|used)\b|"
    r"means\b|covers?\b|when\b|if\b|for\b|only\b|applies\b|includes?\b|wins\b)",
    re.IGNORECASE,
)
_CLAUSES = re.compile(r";\s+|,?\s+but\s+(?=if|when|choose|pick|use|not)")
_AND_BEFORE = re.compile(r"(?:,|\band|\bor)\s*[`'\"(*]*\Z", re.IGNORECASE)
_THEN = re.compile(r"\b(?:then|instead|in that case)\b", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:not|never|don't|no|rather than|instead of|over|before|than|nor|but not)"
    r"[^\w`'\"]*(?:\b(?:choose|pick|use|select|to|as|it|the|a|in|with|be|say|answer)\b\W*){0,3}[`'\"]*\Z",
    re.IGNORECASE,
)
_DEFAULT = re.compile(
    r"\b(?:otherwise|else|default|in doubt|unsure|unclear|everything|anything|all other)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|without|never|unless|isn't|doesn't|don't|nothing)\b", re.IGNORECASE
)
_ALTERNATIVES = re.compile(r"[,;|/()•\"“”]|\bor\b|\n", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """One thing said of a label.

    `alternatives` are word groups of which one suffices, each complete only with all its words;
    `banned` are words that refute it. `explicit` says that it is a condition or list, `sign` is -1
    where the label is denied, `default` marks what holds when nothing else does.
    """

    label: str
    alternatives: tuple[tuple[Word, ...], ...]
    banned: frozenset[str] = frozenset()
    explicit: bool = False
    sign: float = 1.0
    default: bool = False

    def strength(self, present: frozenset[str]) -> float:
        """Return how far words that are present meet the rule, -2.6…2.6; 0 where they don't."""
        if self.default:
            return 0.2 * self.sign
        if self.banned & present:
            return 0.0
        met = sorted((_coverage(group, present) for group in self.alternatives), reverse=True)
        if not met or met[0] <= 0:
            return 0.0
        total = met[0] + 0.4 * sum(part for part in met[1:] if part >= 0.5)
        factor = 1.0 if self.explicit else 0.6
        return self.sign * factor * min(total, 2.6)


def _coverage(group: tuple[Word, ...], present: frozenset[str]) -> float:
    """Return 0…1.9: a complete group counts fully, and more the more words it binds together."""
    total = sum(strength for _, strength in group)
    share = sum(strength for word, strength in group if word in present) / total
    if share > 0.999:
        return min(1.0 + 0.3 * (len(group) - 1), 1.9)
    return 0.6 * share**2


@lru_cache(maxsize=512)
def rules(instruction: str, labels: tuple[str, ...], fields: frozenset[str]) -> tuple[Rule, ...]:
    """Return what the instruction says of the labels; `fields` are stems of field names."""
    found: list[Rule] = []
    heading = ""
    for line in instruction.splitlines():
        mentioned = _mentions(line, labels)
        if line.rstrip().endswith(":") and len(mentioned) == 1:
            heading = mentioned[0][2]
            continue
        if heading and not mentioned and line.strip():
            found += _made(heading, line, "", fields, explicit=True, sign=1.0)
            continue
        heading = "" if not line.strip() or mentioned else heading
        for sentence in sentences(line):
            before = ""
            for clause in _CLAUSES.split(sentence):
                # "never A for x; choose B then": the second clause has the first one's condition
                linked = f"{clause}, {_without(before, _mentions(before, labels))}"
                found += _clause_rules(linked if _THEN.search(clause) else clause, labels, fields)
                before = clause
    return tuple(found)


def _mentions(text: str, labels: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Return (start, end, label) of every mention, longer labels first where they overlap."""
    found: list[tuple[int, int, str]] = []
    for label in sorted(labels, key=len, reverse=True):
        for match in _label_pattern(label).finditer(text):
            start, end = match.span()
            if all(end <= taken[0] or start >= taken[1] for taken in found):
                found.append((start, end, label))
    return sorted(found)


@lru_cache(maxsize=1024)
def _label_pattern(label: str) -> re.Pattern[str]:
    body = re.escape(label)
    flags = re.IGNORECASE if len(label) > 2 else 0
    return re.compile(rf"(?<![\w-]){body}(?![\w]|-\w)", flags)


def _clause_rules(clause: str, labels: tuple[str, ...], fields: frozenset[str]) -> list[Rule]:
    mentions = _mentions(clause, labels)
    if not mentions:
        return []
    denied = [m for m in mentions if _DENIED.search(clause[: m[0]])]
    targets = [m for m in mentions if m not in denied and _is_target(clause, m)]
    named = bool(targets)
    targets = targets or [m for m in mentions if m not in denied]
    found: list[Rule] = []
    for (_, _, label), before, after in _segments(clause, targets, denied):
        explicit = named or bool(_CONDITION.search(before + " " + after)) or ":" in after[:3]
        found += _made(label, before, after, fields, explicit=explicit, sign=1.0)
    rest = _without(clause, mentions)
    for _, _, label in denied:
        found += _made(label, rest, "", fields, explicit=bool(_CONDITION.search(rest)), sign=-1.0)
    return found


def _is_target(clause: str, mention: tuple[int, int, str]) -> bool:
    start, end, _ = mention
    leads = not clause[:start].strip(" `'\"(*-") or bool(_AND_BEFORE.search(clause[:start]))
    return bool(_TARGET_BEFORE.search(clause[:start])) or (
        bool(_TARGET_AFTER.search(clause[end:])) and leads
    )


def _segments(
    clause: str, targets: list[tuple[int, int, str]], denied: list[tuple[int, int, str]]
) -> list[tuple[tuple[int, int, str], str, str]]:
    """Return each target with the words before and after it that speak of it.

    Where conditions come first ("X goes to A, Y goes to B") a target owns what leads to it,
    otherwise ("A for X, B for Y") what follows it; a single target owns the whole clause.
    """
    if not targets:
        return []
    if len(targets) == 1:
        start, end, _ = targets[0]
        return [
            (targets[0], _cut(clause, 0, start, denied), _cut(clause, end, len(clause), denied))
        ]
    lead = clause[: targets[0][0]]
    first = bool(_STARTER.search(lead)) or bool(_content(lead, frozenset()))
    found = []
    for index, target in enumerate(targets):
        if first:
            since = targets[index - 1][1] if index else 0
            found.append((target, _cut(clause, since, target[0], denied), ""))
        else:
            until = targets[index + 1][0] if index + 1 < len(targets) else len(clause)
            found.append((target, "", _cut(clause, target[1], until, denied)))
    return found


def _cut(clause: str, start: int, end: int, removed: list[tuple[int, int, str]]) -> str:
    inside = [m for m in removed if start <= m[0] and m[1] <= end]
    return _without(clause[start:end], [(m[0] - start, m[1] - start, m[2]) for m in inside])


def _without(text: str, spans: list[tuple[int, int, str]]) -> str:
    for start, end, _ in reversed(spans):
        head = _DENIED.sub("", text[:start])
        text = head + " " + text[end:]
    return text


def _made(
    label: str, before: str, after: str, fields: frozenset[str], *, explicit: bool, sign: float
) -> list[Rule]:
    """Return the rule that the words before and after a label make, in a list that may be empty."""
    text = f"{before} , {after}"
    groups: list[tuple[Word, ...]] = []
    banned: set[str] = set()
    for part in _parts(text):
        negation = _NEGATION.search(part)
        if negation:
            banned |= {word for word, _ in _content(part[negation.end() :], fields)}
            part = part[: negation.start()]  # noqa: PLW2901 - what stands before still holds
        group = _content(part, fields)
        if group:
            groups.append(group)
    if _DEFAULT.search(text) and all(w <= 0.3 for group in groups for _, w in group):
        return [Rule(label, (), sign=sign, default=True)]
    if groups:
        kept = frozenset(banned) - {word for group in groups for word, _ in group}
        return [Rule(label, tuple(groups), kept, explicit, sign)]
    return []


def _parts(text: str) -> list[str]:
    parts = _ALTERNATIVES.split(text)
    if len([part for part in parts if part.strip()]) > 2:
        parts = [
            piece for part in parts for piece in re.split(r"\band\b", part, flags=re.IGNORECASE)
        ]
    return parts


_EMPTY = STOP_WORDS | SPEECH_WORDS


@lru_cache(maxsize=4096)
def _content(text: str, fields: frozenset[str]) -> tuple[Word, ...]:
    """Return the (stem, weight) of the words that a condition is about."""
    found = {}
    for word in words(text):
        base = stem(word)
        if word not in _EMPTY and base not in fields and weight(word) > 0:
            found[base] = weight(word)
    return tuple(found.items())


def content(text: str, fields: frozenset[str]) -> tuple[Word, ...]:
    """Return the (stem, weight) of a condition's words, without field names if others remain."""
    return _content(text, fields) or _content(text, frozenset())


def covers(condition: str, present: frozenset[str], fields: frozenset[str]) -> float:
    """Return how far a condition is met by present words: 0, or a share up to 1.9."""
    made = _made("", condition, "", fields, explicit=True, sign=1.0)
    if not made:
        return 1.0 if not all_stems(condition) - fields else 0.0
    return made[0].strength(present)
