"""Tell what a proposer model writes in place of an instruction: a refusal, a question, its talk."""

from __future__ import annotations

import re
from typing import Literal

Problem = Literal[
    "",
    "cut",
    "empty",
    "refused",
    "a question",
    "several",
    "repeated",
    "too long",
    "other placeholders",
    "request too long",
]
"""Why there is no instruction: none is new ("repeated"), or no request fits the model, …"""

WHAT = r"(?:(?:system )?prompt|instruction)"
"""A pattern of what models call an instruction."""
_REFUSAL = re.compile(
    r"(?:i['\u2019]?m (?:very |so |truly )?sorry\b|i am sorry\b|sorry(?:[,.!]| but| i\b| for)"
    r"|(?:my )?apolog|i apologi[sz]e|unfortunately,? i(?:['\u2019]| (?:can|could|am|do"
    r"|did|was|will|won|lack|have|need|must|require|see|only))"
    r"|(?:i|we) ?(?:can['\u2019]?t|cannot|can not"
    r"|(?:['\u2019]?m|['\u2019]re|am|are) (?:not able|unable) to|won['\u2019]?t|will not)\b"
    r"[^\n.]{0,40}\b(?:help|assist|comply|do (?:that|this|it|so)|provide|fulfil\w*|write|create"
    r"|generate|access|see|continue"
    r"|rewrite|improve|produce|share|give|process|engage)\b|i must decline\b"
    r"|as an ai\b[^\n.,]{0,60},? i(?:['\u2019]| )|no comment\b)",
    re.IGNORECASE,
)
# What a model says to itself where it leaves out the tags.
_ALOUD = re.compile(
    r"(?:(?:okay|ok|so|first|now|then|well),? )*(?:"
    r"(?:i|we)(?:['\u2019]ll| will| would| should| need to| must| can|['\u2019](?:m|re) going to)"
    r" (?:now |first |also |therefore |start by )*(?:writ|analy[sz]|look|keep|rewrit|propos"
    r"|creat|craft|think|draft|improv|consider)\w*"
    r"|let(?: me|['\u2019]s) (?:now |first )*(?:write|analy[sz]e|look|craft|draft|see|start|begin"
    r"|consider|examine|review)\b"
    r"|looking at (?:the|these|those|all)\b[^\n.]{0,30}\b(?:examples?|failures?|cases|scores)\b"
    r"|the (?:failures|fail(?:ing|ed) (?:examples?|cases|rows|replies))\b"
    r"|(?:this|it) (?:would|should|will|could) (?:raise|improve|increase)\b[^\n.]{0,30}\bscore)",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?:async )?def [\w.]+\(|class \w+[(:]")
_QUESTION = re.compile(
    r"(?:could|can|would|will|do|does|which|what|may i|is there|are there|should)\b[^\n]*\?",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(
    r"\b(?:i|me)\b|\b(?:can|could|will|would) you\b"
    r"|\byou (?:want|need|mean|have|like|prefer|share|provide|send|give|tell)\b",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(
    r"[^\n]*\b(?:please|kindly) (?:provide|share|send|give me|paste"
    r"|upload) (?:(?:\w+ ){0,2}(?:more|additional|further) (?:\w+ ){1,4}"
    r"(?:module|task|data|examples?)\b|(?:\w+ ){0,2}(?:the|your|some|a few|any|more) "
    rf"(?:\w+ ){{0,2}}(?:examples?|{WHAT}|dataset|task|module)\b)"
    r"|i (?:would )?(?:need|require) (?:more|additional|to (?:know|see)"
    rf"|the (?:\w+ )?(?:examples?|{WHAT}|dataset|task|module))\b"
    r"|i (?:don['\u2019]t|do not) see (?:any|the)\b"
    r"|(?:you (?:haven['\u2019]t|didn['\u2019]t|have not|did not)|there (?:are"
    r"|were) no examples|no examples)\b(?! (?:of|for|that|where|with)\b"
    r"(?![^\n.]*\b(?:me|module|your|given|task)\b))",
    re.IGNORECASE,
)
_UNCHANGED = re.compile(
    rf"(?:the (?:current |given )?{WHAT} (?:already\b|(?:is|looks|seems) (?:\w+ )?(?:already|fine"
    r"|good|well|clear|okay|ok|great|perfect|complete|correct|sufficient|adequate|appropriate)\b)"
    r"|no (?:further )?(?:change|improvement)s?(?:(?: is| are| were)? (?:needed|required|necessary"
    r"|made)\b|[.!]|\Z))",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"[^\n]{0,80}\b(?:here|below) are\b[^\n]{0,60}\b(?:alternatives|options|versions|variants"
    rf"|variations|candidates|{WHAT}s)\b[^\n]{{0,40}}:\s*\n\s*(?:\d|option|version|alternative"
    r"|variant|[*#])",
    re.IGNORECASE,
)


def no_instruction(text: str) -> Problem:
    """Return what the text is in place of an instruction; "" if it may be one."""
    if _REFUSAL.match(text):
        return "refused"
    if _CODE.match(text):
        return "empty"
    # An instruction may begin with a question that it then answers.
    asks = text.endswith("?") or _ADDRESSED.search(text)
    if len(text) < 600 and ((asks and _QUESTION.match(text)) or _ASKS_BACK.match(text)):
        return "a question"
    return "repeated" if _UNCHANGED.match(text) and len(text) < 300 else ""


def several(text: str) -> bool:
    """Return whether a whole reply offers several instructions to choose from."""
    return bool(_SEVERAL.match(text))


def said_aloud(text: str) -> bool:
    """Return whether the text begins as what a model says to itself."""
    return bool(_ALOUD.match(text))
