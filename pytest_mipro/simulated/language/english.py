"""What the stand-in model knows of English before it reads anything: function words and stems.

Only words that any English text may hold are listed here. Nothing speaks of a field of knowledge:
what a task is about, the model learns from the request alone.
"""

from __future__ import annotations

import re
from functools import lru_cache


def _lexicon(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = _lexicon(
    """
a about above after again against all also although am an and any anything are as at be because
been before being below between both but by can cannot could did do does doing done down during
each either else etc even ever every few for from further had has have having he her here hers
him his how however i if in into is it its itself just least less like many may me might more
most much must my near need neither never no nor not now of off often on once one only or other
our out over own per quite rather same shall she should since so some something still such than
that the their them then there therefore these they this those though through thus to together
too toward under until up upon us use used very via was we well were what whatever when whenever
where whether which while who whom whose why will with within without would yes yet you your
yours i'm i've i'd i'll it's don't doesn't didn't isn't aren't wasn't weren't won't can't
couldn't wouldn't shouldn't haven't hasn't hadn't that's there's what's let's we're we've you're
you've they're they've
"""
)

# Frequent words that say little about what a text is about: they count, but not much.
PALE_WORDS = _lexicon(
    """
hello hi hey dear thanks thank please regards kind best sorry today yesterday tomorrow day days
week time times get got getting go goes going went come came make made take took see saw seen
know knew think thought want wanted wants try tried trying say said tell told ask asked asking
look looking find found give gave put keep kept let seem seems start started new old good bad
great nice thing things way lot bit first last next two three since already always again back
right able sure really just much little long soon later sometimes maybe perhaps actually anyone
someone everyone everything nothing help helped work works working happen happens happened
people person team
"""
)

# Words with which instructions speak about texts and decisions; as conditions they are empty.
SPEECH_WORDS = _lexicon(
    """
mention mentions mentioned mentioning say says speak speaks speaking talk talks talking concern
concerns concerning contain contains containing include includes involve involves involving
describe describes describing refer refers referring report reports reporting ask asks asking
discuss discusses indicate indicates relate relates related regard regarding deal deals dealing
word words phrase phrases term terms keyword keywords text texts input inputs message messages
case cases item items value values label labels category categories class classes answer answers
choose chooses chosen pick picks select selects classify classified assign assigned return
returns output reply decide mark marked treat set exactly example examples instance e.g i.e kind
matter matters otherwise default doubt unsure
unclear subject topic belong belongs fall falls route send go goes
hold holds apply applies clearly mainly mostly especially typically usually generally
"""
)

_SUFFIXES = (
    "ization", "isation", "ational", "fulness", "ousness", "iveness", "ations", "ation", "ments",
    "ment", "ities", "ness", "ings", "ing", "ions", "ion", "ies", "ied", "ers", "er", "ors", "or",
    "ed", "es", "ly", "al", "s", "e", "y",
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\s*\n+\s*")
_BULLET = re.compile(r"^\s*(?:[-*•+]|\(?\d{1,2}[.)])\s+")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the word without inflection, at most 8 characters, so that kin words meet."""
    base = word.lower().replace("\u2019", "'").removesuffix("'s")
    if base.isdigit():
        return base
    for suffix in _SUFFIXES:
        if base.endswith(suffix) and len(base) - len(suffix) >= 3:
            base = base[: -len(suffix)]
            break
    if len(base) > 3 and base[-1] == base[-2]:
        base = base[:-1]
    return base[:8]


@lru_cache(maxsize=16384)
def words(text: str) -> tuple[str, ...]:
    """Return the words of the text in lower case, in order; underscores and hyphens divide."""
    return tuple(_WORD.findall(text.lower().replace("\u2019", "'")))


@lru_cache(maxsize=16384)
def stems(text: str) -> frozenset[str]:
    """Return the stems of the text's words that carry meaning."""
    return frozenset(stem(word) for word in words(text) if word not in STOP_WORDS)


@lru_cache(maxsize=16384)
def all_stems(text: str) -> frozenset[str]:
    """Return the stems of all words of the text."""
    return frozenset(stem(word) for word in words(text))


def weight(word: str) -> float:
    """Return how much a word (or stem) says, 0…1.6: rare words are long or hold digits."""
    if word in STOP_WORDS:
        return 0.0
    if word in PALE_WORDS or word in _PALE_STEMS:
        return 0.3
    return min(0.6 + 0.1 * len(word), 1.4) + (0.2 if any(c.isdigit() for c in word) else 0.0)


_PALE_STEMS = frozenset(stem(word) for word in PALE_WORDS)


@lru_cache(maxsize=16384)
def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of the text, bullets without their marks, in order."""
    parts = (_BULLET.sub("", part).strip() for part in _SENTENCE_END.split(text))
    return tuple(part for part in parts if part)


def as_sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop."""
    bare = " ".join(text.split()).strip(" ,;:")
    if not bare:
        return ""
    return bare[0].upper() + bare[1:] + ("" if bare[-1] in ".!?" else ".")


def listed(items: list[str], last: str = "or") -> str:
    """Return the items as English writes a list: `a, b or c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
