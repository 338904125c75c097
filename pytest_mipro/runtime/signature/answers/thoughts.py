"""Strip what models write around a reply: visible thinking, channels, tokens of chat templates."""

from __future__ import annotations

import re

_FINAL = re.compile(
    r"<\|channel\|>\s*final\s*(?:<\|constrain\|>[^<]*)?<\|message\|>|\Aanalysis.*?assistantfinal",
    re.DOTALL,
)
_CHANNEL = "<|channel|>"
_NAME = r"(?:(?:seed:)?think(?:ing)?|thoughts?)"
_OPENING = re.compile(rf"(^[ \t]*)?(?:<{_NAME}>|\[THINK\])", re.IGNORECASE | re.MULTILINE)
_CLOSING = re.compile(rf"</{_NAME}>|\[/THINK\]", re.IGNORECASE)
_TOKENS = r"<\|(?:end|return|im_end|eot_id|eom_id|endoftext|end_of_text)\|>|<end_of_turn>|<eos>"
# A sentence may name such a token, between blanks or quotes, and go on.
_NAMED = r"(?:[`\"')\],]|[ \t]+(?!(?:user|assistant|system|human)\b)[a-z])"


def _end_at(last: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(?<![ \t`\"'(\[])(?:{last})|(?:{last})(?!{_NAMED})).*", re.DOTALL)


_END, _END_OF_HTML = _end_at(rf"{_TOKENS}|</s>"), _end_at(_TOKENS)
_STRUCK = re.compile(r"\s*\S(?:(?!</s>).)*?<s>", re.DOTALL)  # by HTML, not begun by a template
_START = re.compile(
    r"\A\s*(?:<s>|<\|im_start\|>assistant|<\|start_header_id\|>assistant<\|end_header_id\|>"
    r"|<\|assistant\|>|<start_of_turn>model)\s*"
)


def without_thoughts(text: str) -> str:
    """Return what a reply says after its visible thinking; "" where it never stops thinking.

    Reasoning models think between tags, before a lone closing tag (the chat template has opened it)
    or in a channel of their own. A reply without any of this comes back unchanged.
    """
    said = _FINAL.split(text)[-1]
    if said == text and _CHANNEL in text:  # it thought until it was cut
        return ""
    end = _END_OF_HTML if _STRUCK.match(said) else _END
    said = _START.sub("", end.sub("", said))
    opening, closings = _OPENING.search(said), list(_CLOSING.finditer(said))
    if opening and opening[1] is None and not (closings and closings[0].start() < opening.start()):
        return text if said == text else said  # a sentence that names the tag
    before = said[: opening.start()] if opening else ""
    if closings:
        said = said[closings[-1].end() :]
        said = said if said.strip() else before
    elif opening and not before.strip():
        return ""
    return text if said == text else said.strip("\r\n")
