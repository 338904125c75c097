"""Identifiers in texts: order numbers, versions, addresses, amounts and dates, by their shape."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from pytest_mipro.simulated.language.english import stem, words

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_KINDS: tuple[tuple[str, str], ...] = (
    ("email", r"[\w.+-]+@[\w-]+\.[\w.-]*\w"),
    ("link", r"https?://[^\s<>\"')]+"),
    ("date", r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"),
    ("date", rf"\b\d{{1,2}}(?:st|nd|rd|th)? (?:{_MONTHS})\b|\b(?:{_MONTHS}) \d{{1,2}}\b"),
    (
        "amount",
        r"[$€£]\s?\d[\d.,]*\d|[$€£]\s?\d|\b\d[\d.,]*\s?(?:EUR|USD|GBP|CHF|euros?|dollars?)\b",
    ),
    ("percentage", r"\b\d+(?:\.\d+)?\s?%"),
    ("version", r"\bv?\d+\.\d+(?:\.\d+)*\b"),
    ("code", r"#?\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b"),
    ("number", r"#?\b\d{2,}\b"),
)
_PATTERN = re.compile("|".join(f"(?P<k{i}>{pattern})" for i, (_, pattern) in enumerate(_KINDS)))
# What people call a token of each shape.
_CALLED = {
    "email": {"email", "mail", "address"},
    "link": {"link", "url", "page", "address"},
    "date": {"date"},
    "amount": {"amount", "price", "sum", "cost", "total", "fee", "charge"},
    "percentage": {"percentage", "percent", "share", "rate"},
    "version": {"version", "release"},
    "code": {"code", "number", "id", "identifier", "reference", "key", "name", "token"},
    "number": {"number", "id", "identifier", "reference", "code", "count", "figure"},
}
_CALLED_STEMS = {kind: frozenset(stem(name) for name in names) for kind, names in _CALLED.items()}
_AFTER_NOUN = frozenset({"of", "from", "in", "that", "and", "if", "given"})
_GENERIC = frozenset(
    stem(word) for word in ("identifier", "number", "detail", "figure", "reference")
)


@lru_cache(maxsize=8192)
def tokens(text: str) -> tuple[tuple[str, str, str], ...]:
    """Return (kind, token, stem of the word before) of each identifier in the text, in order."""
    found = []
    for match in _PATTERN.finditer(text):
        kind = _KINDS[int((match.lastgroup or "k0")[1:])][0]
        before = [
            word
            for word in words(text[max(0, match.start() - 40) : match.start()])
            if word.isalpha()
        ]
        found.append((kind, match.group(0), stem(before[-1]) if before else ""))
    return tuple(found)


def asked_for(content: str, text: str) -> list[str]:
    """Return the tokens of `text` that a phrase such as "the order number" speaks of.

    Tokens whose neighbour the phrase names come alone where there are any.
    """
    wanted = frozenset(stem(word) for word in words(content))
    of_kind = [
        (token, neighbour)
        for kind, token, neighbour in tokens(text)
        if wanted & _CALLED_STEMS[kind] or neighbour in wanted
    ]
    named = [
        token for token, neighbour in of_kind if neighbour in wanted and neighbour not in _GENERIC
    ]
    return list(dict.fromkeys(named or [token for token, _ in of_kind]))


def is_request(content: str) -> bool:
    """Return whether the phrase names a kind of identifier instead of something to say.

    Such a phrase is short, and the noun that it is about stands last or before "of" or the like.
    """
    said = words(content)
    if not 0 < len(said) <= 8 or '"' in content:
        return False
    heads = [said[-1], *(one for one, two in pairwise(said) if two in _AFTER_NOUN)]
    return any(stem(word) in names for word in heads for names in _CALLED_STEMS.values())


def copied_kinds(pairs: list[tuple[str, str]]) -> set[str]:
    """Return the kinds of identifiers that at least half of the (input, output) pairs copy."""
    kinds: dict[str, list[bool]] = {}
    for given, written in pairs:
        for kind in {kind for kind, _, _ in tokens(given)}:
            copied = any(token in written for k, token, _ in tokens(given) if k == kind)
            kinds.setdefault(kind, []).append(copied)
    return {kind for kind, seen in kinds.items() if sum(seen) * 2 >= len(seen) and any(seen)}


def token_of_kind(kind: str, text: str) -> list[str]:
    """Return the tokens of this kind in the text, in order, each once."""
    return list(dict.fromkeys(token for k, token, _ in tokens(text) if k == kind))
