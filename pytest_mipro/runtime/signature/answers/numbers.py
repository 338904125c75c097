"""Read the one number that a reply states."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass

from pytest_mipro.runtime.signature.answers.reply_text import bare
from pytest_mipro.runtime.signature.answers.stated import UnclearError
from pytest_mipro.runtime.text.strict_json import load_json

MINUS = r"\-\u2010-\u2013\u2212\ufe63\uff0d"
"""The dashes that models write for a minus, for a set of a pattern."""
# A comma after a lone zero is the point of other countries.
_DIGITS = (
    r"(?:0,[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:e[-+]?[0-9]+)?"
)
_NUMBER = re.compile(
    rf"(?<![\w.,^])(?P<digits>[{MINUS}+]?{_DIGITS})(?![\w^+]|[.,][0-9])"
    rf"(?P<ratio>\s*+(?:(?:stars?|points?)\s*+)?(?:/|out of"
    rf"|of(?=\s*[0-9]))\s*(?P<of>{_DIGITS})(?![\w/]|[.,][0-9]))?"
    r"(?P<percent>\s*(?:%|percent\b|per cent\b))?",
    re.IGNORECASE,
)
_WORDS = {
    word: str(value)
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ]
    )
}
_ABOUT = re.compile(
    r"\A(?:about|around|approximately|approx\.?|roughly|circa|ca\.?|~|≈|exactly|=)\s*",
    re.IGNORECASE,
)
# "-$5" is "$-5"
_SIGNED_AMOUNT = re.compile(rf"(?<![\w.,])([{MINUS}])((?:[€$£¥]|[A-Z]{{3}})\s?)(?=\.?[0-9])")
_MEASURE = r"(?:[€$£¥]|\s*+[A-Za-z€$£¥°]++){0,2}"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\b"
# A bound, a magnitude, a date, or a number behind its sign in words, is not the number itself.
_NOT_PLAIN = re.compile(
    r"(?:\b(?:at least|at most|(?:more|less|fewer|greater|higher|lower) than|over|under|above"
    r"|below|up to|until"
    r"|maximum|minimum|between|from|almost|nearly|close to"
    r"|minus|negative)\b|[<>≤≥±])\s*(?:about\s+)?[€$£]?[0-9]"
    r"|(?:\b(?:not|never|nor|neither|maybe|perhaps|possibly|either|if|unless|might|could)\b"
    r"|n['\u2019]t\b)[^.\n]{0,40}?[0-9]"
    r"|[0-9]\s*(?:hundred|thousand|million|billion|trillion|dozen\b|at most|at least|max\b"
    r"|min\b|maximum|minimum|plus\b|or\b|to\s+[0-9]"
    r"|[-\u2013\u2014]\s*[0-9]|\+(?![0-9]))"
    rf"|[0-9]\s*{_MONTH}|\b{_MONTH}\.?\s*[0-9]"
    r"|[0-9][^.\n]{0,20}\?",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|might|could|actually|wait|rather)\b", re.IGNORECASE
)
_NUMBERED = re.compile(r"\s*\(?[0-9]{1,3}[.)]\s+\S")
_ASIDE = re.compile(r"(?<!\s)\s*[(\[][^()\[\]0-9]*[)\]]\s*\Z")
_EXPLAINED = re.compile(
    r"(?:\s+[-\u2014\u2013]+\s+(?![0-9])|[;:](?=\s)|,\s+(?=[a-z])|,?\s(?=because\b|since\b"
    r"|as\b)|[.!](?=\s+\D)|\s*\((?=\D))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class NumberReader:
    """Reads the numbers of one type: `whole` ones, or any; `most` is the type's greatest, if any.

    It decides what a percentage or "4/5" is for: a share where `most` is at most 1.
    """

    whole: bool
    most: float | None = None

    def alone(self, part: str) -> Hashable | None:
        """Return the number that the part is, in digits or as a word, with or without a unit."""
        if _NUMBERED.match(part):  # "4. 2 flaws" is no list
            return None
        text = bare(_ASIDE.sub("", _with_sign_last(part.strip())))
        if _NOT_PLAIN.search(text):
            return None
        text = _ABOUT.sub("", text)
        text = _WORDS.get(text.casefold(), text)
        match = _NUMBER.match(text.lstrip("€$£¥"))
        if match and re.fullmatch(_MEASURE, text.lstrip("€$£¥")[match.end() :]):
            return self._value(match)
        return None

    def head(self, part: str) -> Hashable | None:
        """Return the number before a comma, dash or period that explains it."""
        text = part.strip()
        match = _EXPLAINED.search(text)
        if match is None:
            return None
        rest = text[match.end() :].lstrip()
        if _NUMBER.match(rest) or (_NUMBER.search(rest) and _DOUBT.search(rest)):
            return None
        return self.alone(text[: match.start()])

    def named(self, text: str) -> set[Hashable]:
        """Return all numbers of a text."""
        return {match["digits"] for match in _NUMBER.finditer(text)}

    def prose(self, text: str) -> Hashable:
        """Return the only number of a text."""
        text = _with_sign_last(text)
        if _NOT_PLAIN.search(text) or len(re.findall(r"[0-9][0-9.,]*", _NUMBER.sub("", text))):
            raise UnclearError("it states no plain number")
        found = {self._value(match) for match in _NUMBER.finditer(text)}
        if len(found) != 1 or None in found:
            raise UnclearError("it states several numbers", none=not found)
        return found.pop()

    def _value(self, match: re.Match[str]) -> Hashable | None:
        """Return the value of a match; None where the type can't hold it; UnclearError for two."""
        value = _read(match["digits"])
        if self.whole and value != int(value):
            return None
        share = 100 if match["percent"] else _read(match["of"]) if match["of"] else 0
        if share and not self.whole:
            if self.most is not None and self.most <= 1:
                return float(f"{value / share:.12g}")
            decimal = match["of"] and "." in match["digits"]
            if self.most != share and not decimal:
                raise UnclearError("it states a share, not a number")
        return int(value) if self.whole else value


def _with_sign_last(text: str) -> str:
    """Return the text with the sign of an amount directly before its digits."""
    return _SIGNED_AMOUNT.sub(r"\2\1", text)


def _read(digits: str) -> int | float:
    plain = re.sub(rf"\A[{MINUS}]", "-", digits).lstrip("+")
    plain = re.sub(r"\b0,", "0.", plain).replace(",", "")
    sign, plain = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    plain = re.sub(r"\A0+(?=[0-9])", "", plain)
    value: int | float = load_json(sign + ("0" if plain.startswith(".") else "") + plain)
    return value
