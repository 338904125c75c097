"""Read the one label that a reply states, also in a sentence; yes and no are labels of a bool."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pytest_mipro.runtime.signature.answers.numbers import MINUS
from pytest_mipro.runtime.signature.answers.reply_text import bare
from pytest_mipro.runtime.signature.answers.stated import UnclearError, sentences

YES_NO = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}
"""What models say for a truth value."""

_GAP = r"[\s_\-\u2010-\u2015]+"
_MARKS = "*`\"'\u201e\u201c\u201d\u2018\u2019_"
_NEGATED = re.compile(
    r"\b(?:not|no|nor|never|neither|without|cannot|isn|rather than|instead of|rule[sd]? out)\b"
    r"|n['\u2019]t\b",
    re.IGNORECASE,
)
# A reply that says this decides nothing, whatever label it names.
_UNDECIDED = re.compile(
    r"\b(?:(?:can(?:not|['\u2019]t| not)|could(?:n['\u2019]t| not)|unable to|impossible to"
    r"|hard to|difficult to)"
    r" (?:be )?(?:tell|say|determine|decide|classif\w+|categori\w+|answer|judge|know|choose)\w*"
    r"|not (?:sure|certain|clear|enough)|unclear|ambiguous|insufficient|undecided"
    r"|(?:don['\u2019]t|do not) know"
    r"|(?:anything|everything|all|nothing) but|other than|except)\b",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"\b(?:if|unless|whether|either|maybe|perhaps|possibly|might|could|may|or)\b", re.IGNORECASE
)
_CONDITION = re.compile(r"\b(?:if|unless|whether)\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[,;()]|[:\u2014\u2013](?=\s)|\s-+\s|\bbut\b|(?=\b(?:rather than|instead of)\b)", re.IGNORECASE
)
_ADVERBS = (
    r"(?:(?:so|then|thus|therefore|hence|clearly|definitely|obviously|probably|likely|most"
    r"|mainly|simply"
    r"|best|okay|ok|a case of|related to|about|i think|i believe|i guess)\s+)*"
)
_LINK = re.compile(
    rf"(?:(?<!there )\b(?:is|are|am|be|was|ist|est|es|è|é)|['\u2019][sm]|\b(?:as|under|like)"
    r"|\b(?:go(?:es)?|belongs?|rout\w+|assign\w*|sen[dt]|forward\w*|direct\w*|falls?|fits?"
    r"|file[sd]?|put|placed?"
    r"|mapp?\w*|classif\w+|categori[sz]\w+|label\w*|tag\w*|mark\w*)\b[^.,;]{0,40}?\b(?:to|in"
    r"|into|under|as|with)"
    r"|\b(?:seems|appears|looks)(?: to be)?|\b(?:fits|matches|suggests|means)"
    r"|\b(?:say|choose|chose|chosen|pick|picked|select|selected|answer|go with|call (?:it|this)"
    r"|suggest)"
    rf"|[=→])\s*{_ADVERBS}(?:the |an? |our |its |their )?[{_MARKS}]*\Z",
    re.IGNORECASE,
)
_ONLY = re.compile(rf"\A\s*{_ADVERBS}[{_MARKS}]*\Z", re.IGNORECASE)
_NOUN = (
    r"(?:queue|category|label|class|type|issue|ticket|question|problem|request|matter|team"
    r"|department"
    r"|inquiry|enquiry|case|one|topic|section|group|intent|related)"
)
_AFTER = re.compile(
    rf"\A[{_MARKS}]*(?:[\s-]+{_NOUN})?[{_MARKS}]*\s*+(?:[.!]*+\s*\Z|(?:because|since|as|due|given"
    rf"|for|based|here"
    r"|seems|looks|fits|is the|would|applies|i think|i guess|it is|to me)\b)",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"\A\s*(?:an?|the)\s+\Z", re.IGNORECASE)
_NAMED = re.compile(rf"[\s-]+{_NOUN}", re.IGNORECASE)
_EXPLAINED = re.compile(
    r"[\s*`\"'\u201d]*(?:[,.:;!\u2014\u2013(]|\s-+\s|\s(?:because|since|as|due to)\b)",
    re.IGNORECASE,
)
# The mark of an option before the option's own text: "(B) If it rains, stay in."
_OPTION = re.compile(r"\)\s+[\"'\u201c\u2018]?[A-Z0-9]")
_IS_NOT = re.compile(
    r"\W{0,2}\s+(?:is|was|are|were|does|do|did|would|can|could|should|has)"
    r"(?:n['\u2019]t|\s*not)\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"(?:no|not|false|never|unlikely)\b", re.IGNORECASE)
_TWO = re.compile(r"[\s,;:(/|&]*(?:\b(?:and|or|but|also|then)\b[\s,]*)+", re.IGNORECASE)


class LabelReader:
    """Reads the labels of one type; a value is the key of a label.

    Case, hyphens, quotes and emphasis don't matter, except between labels that differ by nothing
    else.
    """

    def __init__(self, spellings: Iterable[str]) -> None:
        keys = [(_key(spelling), spelling) for spelling in spellings]
        known = [key for key, _ in keys]
        self._exact = {spelling for _, spelling in keys}
        self._by_key = {key: name for key, name in keys if key and known.count(key) == 1}
        joined = [name.replace(" ", "") for name in self._by_key]  # "signin" for sign-in
        self._joined = {
            key.replace(" ", ""): name
            for key, name in self._by_key.items()
            if joined.count(key.replace(" ", "")) == 1
        }
        names = sorted(self._by_key, key=len, reverse=True)
        options = "|".join(re.escape(name).replace(r"\ ", _GAP) for name in names)
        self._pattern = (
            re.compile(rf"(?<![\w-])(?:{options})(?![\w])", re.IGNORECASE) if names else None
        )

    def alone(self, part: str) -> str | None:
        """Return the label that the part is."""
        for text in (part, part.strip(), bare(part)):
            if text in self._exact:
                return text
        key = _key(part)
        return self._by_key.get(key) or self._joined.get(key)

    def head(self, part: str) -> str | None:
        """Return the label before a comma, dash or period, unless another one follows."""
        text = bare(part)
        match = self._pattern.match(text) if self._pattern else None
        if match is None:
            return None
        option = len(match[0]) <= _LONGEST_OPTION and _OPTION.match(text, match.end())
        if not option and not _EXPLAINED.match(text, match.end()):
            return None
        label = self._by_key.get(_key(match[0]))
        rest = text[match.end() :].lstrip(" ,.:;!\u2014\u2013-()*`\"'\u201d")
        if label is None or _DENIAL.match(rest):
            return None
        others = self.named(rest) - {label}
        begins = self._pattern.match(rest) if self._pattern else None
        if others and (begins or _TWO.match(text, match.end()) or _DOUBT.search(rest)):
            return None
        first = "".join(sentences(rest)[:1])
        said = {found for found, plain in self._mentions(first) if plain}
        return None if said - {label} or text.rstrip().endswith("?") else label

    def named(self, text: str) -> set[str]:
        """Return all labels that a text names."""
        return {label for _, label in self._places(text)}

    def _places(self, text: str) -> Iterator[tuple[re.Match[str], str]]:
        """Yield each place where a text names a label, and the label."""
        for match in self._pattern.finditer(text) if self._pattern else ():
            label = self._by_key.get(_key(match[0]))
            if label is not None:
                yield match, label

    def prose(self, text: str) -> str:
        """Return the only label that stands where a sentence states its answer."""
        if not self.named(text):
            raise UnclearError("it states none", none=True)
        if self._pattern and _UNDECIDED.search(self._pattern.sub(" ", text)):
            raise UnclearError("it decides nothing")
        stated = ""
        for label, plain in self._mentions(text):
            if plain and stated not in ("", label):
                raise UnclearError("it states several values")
            if plain:
                stated = label
            elif plain is None and stated not in ("", label):
                raise UnclearError("it names another value after its answer")
        if not stated or stated in self._denied(text):
            raise UnclearError("it states none plainly")
        return stated

    def _denied(self, text: str) -> set[str]:
        """Return the labels that a text says something is not of: "(B) isn't sarcastic"."""
        return {label for it, label in self._places(text) if _IS_NOT.match(text, it.end())}

    def _mentions(self, text: str) -> Iterator[tuple[str, bool | None]]:
        """Yield each label named, and whether plainly as the answer; None where in doubt."""
        for sentence in sentences(text):
            doubt = sentence.rstrip().endswith("?") or bool(_CONDITION.search(sentence))
            for clause in _CLAUSE.split(sentence):
                yield from self._in_clause(clause, doubt=doubt)

    def _in_clause(self, clause: str, *, doubt: bool) -> Iterator[tuple[str, bool | None]]:
        if self._pattern is None:
            return
        around = self._pattern.sub(" ", clause)
        # So long a clause is a model that rambles; reading it would take quadratic time.
        doubt = doubt or len(clause) > _LONGEST_CLAUSE or bool(_DOUBT.search(around))
        negated = not doubt and _NEGATED.search(around)
        for match, label in self._places(clause):
            if doubt:
                yield label, None
            elif negated:
                yield label, False
            else:
                yield label, _is_answer(clause[: match.start()], clause[match.end() :])


_LONGEST_CLAUSE = 2_000
_LONGEST_OPTION = 2


def _is_answer(before: str, after: str) -> bool:
    marked = bool(before) and before[-1:] == after[:1] and after[:1] in ("*", "`")
    linked = _ONLY.match(before) or _LINK.search(before)
    linked = linked or (_ARTICLE.match(before) and _NAMED.match(after))  # "…, but a bug report"
    return marked or bool(linked and _AFTER.match(after))


def _key(text: str) -> str:
    """Return what spellings of a label have in common."""
    return _short_key(text[:200])


@lru_cache(maxsize=4096)
def _short_key(text: str) -> str:
    composed = unicodedata.normalize("NFC", bare(text))
    signed = re.sub(rf"\A[{MINUS}](?=[0-9])", "-", composed)
    plain = re.sub(rf"(?!\A-[0-9]){_GAP}", " ", signed).strip().casefold()  # a sign is no gap
    # As the pattern does, which takes the four letters i of Turkish for one.
    return plain.replace("i\u0307", "i").replace("\u0131", "i")
