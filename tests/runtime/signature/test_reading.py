"""Replies as models write them: one clear answer is read, what needs asking back is refused."""

# ruff: noqa: UP007, UP045 - the old spellings of unions are read, too

from __future__ import annotations

import contextlib
import time
from datetime import date
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from pydantic import BaseModel, Field

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.output_type import output_format

Team = Literal["bug", "account", "sign-in", "refund", "privacy", "delivery"]
Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Rating = Annotated[int, Field(ge=1, le=5)]
Stars = Literal[1, 2, 3, 4, 5]
Urgency = Literal["urgent", "not urgent"]
Spam = Literal["spam", "ham"]
Unsure = Literal["yes", "no", "unsure", "unclear"]
Mood = Literal["positive", "negative", "neutral"]
Kind = Literal["bug", "bug report", "feature request"]
Code = Annotated[str, Field(pattern="^[A-Z]{2}-[0-9]{3}$")]
Short = Annotated[str, Field(max_length=20)]


class Order(BaseModel):
    team: str
    days: int
    tags: list[str] = []


class Graded(BaseModel):
    grade: Team
    note: Literal["a"] | str = ""  # noqa: PYI051 - "A" is a text of its own


def read(annotation: Any, reply: str, *, reasoning: bool = False) -> Any:
    return output_format(annotation, reasoning=reasoning, where="f").parse(reply)[0]


# fmt: off
READ: list[tuple[Any, dict[str, Any]]] = [
    (Literal["(A)", "(B)"], {
        "(B) If it rains they stay in.": "(B)", "B) If so": "(B)", '(A) "Oh, great."': "(A)",
    }),
    (Team, {
        "Refund, since the customer was charged twice.": "refund",
        "refund (the customer was charged twice)": "refund",
        "refund - the customer was charged": "refund",
        "It's not refund, it's delivery.": "delivery", "refund, not delivery": "refund",
        "delivery rather than refund": "delivery", "Delivery instead of refund.": "delivery",
        "On account of the double charge, this goes to refund.": "refund",
        "Taking everything into account, refund.": "refund",
        "This ticket belongs to the refund team.": "refund",
        "I'd classify this as refund.": "refund", "This is a refund issue.": "refund",
        "It should go to **refund**.": "refund", "This is about refund.": "refund",
        "Looks like refund to me": "refund", "Category: Refund\nConfidence: high": "refund",
        "Team: refund\nReason: The account was charged twice.": "refund",
        "Reasoning: could be account or delivery.\nAnswer: refund": "refund",
        "Final answer: **refund**": "refund", "**Final Answer:** refund": "refund",
        "### Answer\nrefund": "refund",
        '{"team": "refund", "reason": "a charge on the account"}': "refund",
        '["refund"]': "refund", "{'team': 'refund'}": "refund",
        '```json\n{"team": "refund"}\n```': "refund",
        "Here you go:\n```\nrefund\n```\nAnything else?": "refund",
        "<team>refund</team>": "refund", "<label>\nrefund\n</label>": "refund",
        "<answer>refund": "refund", "\\boxed{refund}": "refund",
        "$\\boxed{\\text{refund}}$": "refund", "- refund": "refund", "-> refund": "refund",
        "→ refund": "refund", "> refund": "refund", "# refund": "refund", "(refund)": "refund",
        "[refund]": "refund", "✅ refund": "refund", "Sign-In": "sign-in", "sign_in": "sign-in",
        "SIGN IN.": "sign-in", "This is a sign in question.": "sign-in",
        "refund<|im_end|>": "refund", "refund</s>": "refund",
        "refund<|im_end|>\n<|im_start|>user\nnext": "refund",
        "analysisThe user...assistantfinalrefund": "refund",
        "<thinking>delivery?</thinking>refund": "refund",
        "refund\n\nThe order itself is fine; see account page.": "refund",
        "It could be delivery, but nothing was sent. So refund.": "refund",
        "Probably refund": "refund", "Most likely refund.": "refund",
        "Sure! The team is refund.": "refund",
        'The correct team for this ticket is "refund".': "refund",
        "I would route this to the refund team.": "refund", "Refund: yes\nDelivery: no": "refund",
        "Based on the ticket, the best team would be refund.": "refund",
        "The answer is refund because the customer has an account.": "refund",
        "Not delivery. Refund.": "refund", "No, refund.": "refund", "refund\nrefund": "refund",
        "Team = refund": "refund", "team=refund": "refund", 'team: "refund",': "refund",
        "the team: refund": "refund", "Rejected: refund\nChosen: delivery": "delivery",
        "refund.\n\nNote: account holders get refunds.": "refund", "My answer: refund": "refund",
        "Answer → refund": "refund", "refund  ": "refund",
        "The ticket should be classified as: refund": "refund",
        "The appropriate team is **refund**.": "refund", "I believe this is refund.": "refund",
        "I would choose refund.": "refund", "Classification: refund (confidence: 0.92)": "refund",
        "refund\nConfidence: 0.9": "refund", '"team": "refund"': "refund",
        "{'team': 'refund',}": "refund", "It is definitely not account. It is refund.": "refund",
        "This is not an account issue but a refund issue.": "refund",
        "Based on the account of the customer, this goes to delivery.": "delivery",
        "account": "account", "Account.": "account", "It's a bug.": "bug",
        'The team for this ticket would be "sign-in"': "sign-in", "sign\u2011in": "sign-in",
        "Okay. refund": "refund", "Sure: refund": "refund", "Sure, refund.": "refund",
        "Output: `refund`": "refund", '```json\n"refund"\n```': "refund",
        '{"answer": {"team": "refund"}}': "refund", '[{"team": "refund"}]': "refund",
        '{"team": ["refund"]}': "refund", "refund\n---\nThe ticket is about a charge.": "refund",
        "**Answer**\n\nrefund": "refund", "**Answer:**\nrefund": "refund",
        "Answer:\n\n**refund**": "refund",
        "Answer: **Refund** \u2013 the customer disputes a charge.": "refund",
        "refund\n\nReason: account was charged; delivery unaffected.": "refund",
        "delivery, not refund.": "delivery", "refund…": "refund", "'refund'": "refund",
        "«refund»": "refund", "<think>a</think>\n<think>b</think>\nrefund": "refund",
        "I choose option 4: refund": "refund", "4. refund": "refund",
        "refund 💸": "refund", "💸 Refund!": "refund", "&quot;refund&quot;": "refund",
        "SignIn": "sign-in", "Das Team ist \u201erefund\u201c.": "refund",
        "分类\uff1arefund": "refund", "| Team |\n|---|\n| refund |": "refund",
    }),
    (bool, {
        "Yes, the text says so.": True, "No, it does not say so.": False,
        "No - the text is silent.": False, "The answer is yes.": True,
        "The statement is false.": False, '{"spam": true}': True,
        '{"faithful": false, "reason": "no source"}': False, "Faithful: Yes": True,
        "Yes. It is true that the text says so.": True, "**No.** The summary adds facts.": False,
        "I would say yes.": True, "yes!": True, "y": True, "yes\n\nNo further comments.": True,
        "Verdict: false": False, "Answer: Yes, because X is not Y.": True, '"true"': True,
        "'False'": False, "Result = true": True, '{"result": "yes"}': True,
        "true.\n\nLet me know if you have questions about no-shows.": True,
        "No problem! The answer is true.": True, "It is true": True, "Yes/No: Yes": True,
        "<answer>true</answer>": True, "Truthfully, no.": False, "yes (probably)": True,
    }),
    (int, {
        "three": 3, "Three.": 3, "~3": 3, "approximately 3": 3, "$3": 3, "3 €": 3, "€3": 3,
        "3 kg": 3, "-3": -3, "\u22123": -3, "+3": 3, "1,234,567": 1234567, "85%": 85,
        "9 out of 10": 9, "4/5": 4, "3 of 5 items": 3, "Rating: 4 out of 5 stars": 4, "4 stars": 4,
        "**Score:** 4": 4, "4 - it has 2 flaws": 4, "4, because it has 2 flaws": 4,
        "There are 3 items.": 3, "I count 3.": 3, '{"score": 4}': 4,
        '{"score": 4, "reason": "2 flaws"}': 4, "[4]": 4, "```\n4\n```": 4, "\\boxed{42}": 42,
        "The answer is 42.": 42, "Answer: 42\n\nI added 40 and 2.": 42, "40 + 2 = 42\n\n42": 42,
        "zero": 0, "1e3": 1000, "007": 7, "3 (out of 5)": 3, "3 (three)": 3,
        "Score: 4/5\n\nThe summary omits 2 of 3 points.": 4,
        "Step 1: count the words.\nStep 2: 7 words.": 7, "Total: 7.": 7, "Number of items: 7": 7,
        "Answer is 3": 3, "3 (approx.)": 3, "approx. 3": 3, "ca. 3": 3, "≈3": 3, "3 items.": 3,
        "I found 3 items.": 3, "2 / 3": 2, "10/10": 10, "Score: 4 (out of 5)": 4, "4/5 stars": 4,
        "0": 0, "No items: 0": 0, "1.000": 1, "2.0 items": 2, "5 days": 5, "3 of them": 3,
        '"3"': 3, '{"count": "3"}': 3, '{"count": 3.0}': 3, "3!": 3, "**Score: 4**": 4,
        "Score - 4": 4, "score 4": 4, "I would rate this a 4.": 4,
        "I would rate this a 4 out of 5.": 4, "It is 2024.": 2024, "2e3": 2000, "15 %": 15,
        "roughly 5": 5, "exactly 5": 5,
    }),
    (float, {
        "4.5/5": 4.5, "1.5e-3": 0.0015, "Score: 0.85": 0.85, "The score is 0.85.": 0.85,
        "$3.50": 3.5, "5": 5.0, "0.85.": 0.85, "1,234.5": 1234.5, "≈ 0.85": 0.85,
        "Confidence: 0.85 (high)": 0.85, "-0.0": -0.0, ".5.": 0.5, "1e-3": 0.001,
        "0.85\n\nBecause 3 of 4 rules hold.": 0.85,
    }),
    (Share, {
        "85%": 0.85, "85 %": 0.85, "1%": 0.01, "85 percent": 0.85, "0.85": 0.85, "9/10": 0.9,
        "about 85 %": 0.85, "Confidence: 85%": 0.85, "0.9 out of 1": 0.9,
    }),
    (Percent, {
        "85%": 85.0, "0.5": 0.5, "80/100": 80.0,
    }),
    (Rating, {
        "4": 4, "4/5": 4, "Rating: 4": 4,
    }),
    (Stars, {
        "4": 4, "4/5": 4, "Four": 4,
    }),
    (list[str], {
        "* a\n* b": ["a", "b"], "1. a\n2. b": ["a", "b"], "Tags:\n- a\n- b": ["a", "b"],
        "Here are the tags:\n\n- a\n- b\n\nLet me know!": ["a", "b"], "['a', 'b']": ["a", "b"],
        '["it\'s"]': ["it's"], '[\'it\\\'s\', "b"]': ["it's", "b"], '{"tags": ["a"]}': ["a"],
        '{"reasoning": "x", "tags": ["a","b"]}': ["a", "b"], '["a"]\n["a"]': ["a"],
        '- "a"\n- `b`\n- **c**': ["a", "b", "c"], '<answer>["a"]</answer>': ["a"],
        'See [1] for more: ["a"]': ["a"], '[\n  "a", // first\n  "b",\n]': ["a", "b"],
        "- a": ["a"], "Here are the items:\n1. a\n2. b\n3. c": ["a", "b", "c"],
        "• a\n• b": ["a", "b"], "- a\n\n- b": ["a", "b"], "[]\n\nNo tags apply.": [],
        "```\n- a\n- b\n```": ["a", "b"], 'tags = ["a", "b"]': ["a", "b"],
        '{"tags": ["a"], "count": 1}': ["a"], "1. a\n2. b\n\nNote: c was left out.": ["a", "b"],
        "**Tags:**\n- a\n- b": ["a", "b"], "a, b": ["a", "b"], "a\nb": ["a", "b"],
        "Tags:\na\nb": ["a", "b"], '"a, b", c': ["a, b", "c"], '"a"': ["a"],
        "[\u201ca\u201d, \u201cb\u201d]": ["a", "b"], "[&quot;a&quot;]": ["a"],
    }),
    (list[int], {
        "- 1\n- 2": [1, 2], "[1,2]": [1, 2], "1, 2": [1, 2],
    }),
    (list[Team], {
        '["Refund", "sign in"]': ["refund", "sign-in"], "Refund, bug": ["refund", "bug"],
        "[refund, sign-in]": ["refund", "sign-in"], "[refund]": ["refund"],
        "[bug,\n privacy,\n]": ["bug", "privacy"],
        "[bug,\r\n refund]": ["bug", "refund"],
        "[ 'bug', privacy ]": ["bug", "privacy"], "```\n[bug, privacy]\n```": ["bug", "privacy"],
    }),
    (list[Optional[Team]], {
        "[refund, bug]": ["refund", "bug"],
    }),
    (list[Order], {
        '{"team":"a","days":1}': [Order(team="a", days=1)],
    }),
    (Graded, {
        '{"grade": "Sign In", "note": "A"}': Graded(grade="sign-in", note="A"),
        '{"grade": "BUG"}': Graded(grade="bug"),
    }),
    (Share, {
        "0,85": 0.85, "Score: 0,5": 0.5,
    }),
    (dict[str, int], {
        '{"a": 1}': {"a": 1}, '{"result": {"a": 1}}': {"a": 1},
    }),
    (Order, {
        "{'team': 'refund', 'days': 2}": Order(team="refund", days=2),
        '{"ticket": {"team": "refund", "days": 2}}': Order(team="refund", days=2),
        '[{"team": "refund", "days": 2}]': Order(team="refund", days=2),
        '{"team":"refund","days":2, "tags": ["a",]}': Order(team="refund", days=2, tags=["a"]),
        '{"team":"refund","days":2}\n{"team":"refund","days":2}': Order(team="refund", days=2),
        '{"team":"line\nbreak","days":1}': Order(team="line\nbreak", days=1),
        '{"team": "it\'s {x}", "days": 1}': Order(team="it's {x}", days=1),
        "team: refund\ndays: 2": Order(team="refund", days=2),
        "- **Team**: refund\n- **Days:** 2\n- tags: []": Order(team="refund", days=2),
        '{"Team": "refund", "Days": 2}': Order(team="refund", days=2),
        '{team: "refund", days: 2}': Order(team="refund", days=2),
        "{\u201cteam\u201d: \u201crefund\u201d, \u201cdays\u201d: 2}": Order(team="refund", days=2),
        '{"team": "refund", "days": 2, "tags": null}': Order(team="refund", days=2),
        '"{\\"team\\": \\"refund\\", \\"days\\": 2}"': Order(team="refund", days=2),
        '{"team": "a &amp; b", "days": 2}': Order(team="a &amp; b", days=2),
        'Example: {"team": "x"}\nAnswer: {"team":"refund","days":2}': Order(team="refund", days=2),
    }),
    (str, {
        "```markdown\n# Hi\n```": "# Hi", "```python\nx=1\n```": "```python\nx=1\n```",
        "Use:\n```\nx\n```": "Use:\n```\nx\n```",
        "<answer>Dear customer</answer>": "Dear customer", '"Quoted"': '"Quoted"',
        "Answer: yes": "Answer: yes", "<think>\n\n</think>\n\nDear customer": "Dear customer",
        "Dear customer<|im_end|>": "Dear customer",
        "```text\nDear customer\n```\n": "Dear customer", "<|channel|>final<|message|>Hi": "Hi",
    }),
    (Optional[str], {
        "None": None, '"foo"': "foo", "7": "7", "null.": None, "`null`": None, "none": None,
        "No value was found.": "No value was found.",
    }),
    (Optional[Team], {
        "Team: refund": "refund", "None.": None, '"refund"': "refund",
    }),
    (Optional[int], {
        "about 3": 3, "null": None, "none": None, '{"n": 3}': 3, '{"n": "null"}': None,
        '{"n": null}': None, "null\n\nThe text gives no number.": None, "N/A": None,
    }),
    (Optional[bool], {
        "no": False,
    }),
    (Optional[Order], {
        "null": None, "```json\nnull\n```": None,
        'Here: {"team":"a","days":1}': Order(team="a", days=1),
    }),
    (Union[int, str], {
        "7": 7, '"7"': "7", "I sent 7 items": "I sent 7 items",
    }),
    (Optional[float], {
        "0.5 kg": 0.5,
    }),
    (Urgency, {
        "not urgent": "not urgent", "It is not urgent.": "not urgent", "urgent": "urgent",
    }),
    (Spam, {
        "Spam": "spam",
    }),
    (Unsure, {
        "Yes.": "yes", "I'm unsure.": "unsure", "It is unclear.": "unclear",
    }),
    (Kind, {
        "bug report": "bug report", "This is a bug report.": "bug report", "bug": "bug",
    }),
    (Mood, {
        "Sentiment: Positive": "positive", "The sentiment is positive.": "positive",
        "The review is neither positive nor negative, so neutral.": "neutral",
    }),
    (date, {
        "2024-01-05": date(2024, 1, 5), "Date: 2024-01-05": date(2024, 1, 5),
        "The date is 2024-01-05.": date(2024, 1, 5), "**2024-01-05**": date(2024, 1, 5),
    }),
    (Code, {
        "Code: AB-123": "AB-123", "AB-123": "AB-123",
    }),
    (Short, {
        "Short text": "Short text",
    }),
]
REFUSED: list[tuple[Any, list[str]]] = [
    (Literal["(A)", "(B)"], [
        "(B) is not sarcastic.", "(B) isn't", "(A) He may go. (B) She may go.",
        "(B) If (A) were true",
    ]),
    (Team, [
        "refund, delivery", "refund / delivery", "refund and delivery",
        "either refund or delivery", "refund, or maybe delivery", "Refund, maybe delivery",
        "refund?", "Is it refund?", "Should I choose refund or delivery?", "It isn't refund.",
        "anything but refund", "On account of the charge I cannot decide.",
        "I take the charge into account.", "The customer has a problem with his account.",
        "Answer: refund or delivery", "Answer: not refund",
        '{"team": "refund", "alternative": "delivery"}', '["refund","delivery"]',
        "<answer>refund</answer><answer>delivery</answer>", "1. refund\n2. delivery",
        "refund\ndelivery", "❌ refund", "~~refund~~", "The user asks sign in log in.",
        "<think>It could be delivery", "refund\n\nActually, this should be delivery.",
        "refund\n\nWait, the ticket is about delivery.", "refund\n\nIt could also be delivery.",
        "Unable to determine. It may be refund.", "It might be refund.", "maybe refund",
        "If the charge is disputed, refund.", "neither refund nor delivery", "none of the above",
        "other", "Cannot determine; insufficient information about the account.",
        "Please provide the ticket.", "I cannot help with that.", "refund: 0.8\ndelivery: 0.2",
        "There is a bug in the app.", "I don't think this is delivery.",
        "It could be refund or it could be delivery.", "refund and/or delivery",
        "refund & delivery", "refund; delivery", "refund > delivery",
        "Primary: refund\nSecondary: delivery", "1) refund\n2) account",
        "Both refund and delivery apply.", "refund (or possibly delivery)", "refund?\n",
        "Do you mean refund?", "Sorry, I cannot classify this as refund.",
        "I am not sure it is refund.", "n/a", "null", "None", "The customer accounts for a bug.",
        "accounts", "bugs", "debug", "order", "🚫 refund", "Das Team ist nicht refund.",
        '{"team": ["refund", "delivery"]}',
        '{"team": null}', '{"team": "spam"}',
        "The ticket mentions a charge, which falls under refund; however, it is a bug.",
        "Not refund\nNot delivery", "no", "Refund\n\n(if not: delivery)", "<think>refund?</think>",
        "Reply with one of these values:\n- bug\n- account\n- sign-in\n- refund",
        "bug\naccount\nsign-in\nrefund\nprivacy\ndelivery",
    ]),
    (bool, [
        "There is no evidence.", "No evidence was found.", "Yes and no", '{"a": true, "b": false}',
        "true or false", "True/False", "true, false", "not true", "unknown", "N/A",
        "No, that is true.", "Is it true?", "It depends. Yes if paid, no otherwise.", "Yes.\nNo.",
        "yes, no", "Correct", "It isn't true", "I think so", "nope", "yeah", "TRUE\nFALSE",
        "no, it is true", "Maybe yes",
    ]),
    (int, [
        "four items", "3-4", "3 to 4", "between 3 and 4", "at least 3", "more than 3", "3+", "<3",
        "3rd", "2024-01-05", "January 5", "5 January", "3:30", "1.2.3", "3k", "3 thousand",
        "3 million", "1,5", "1 234", "Score: 4\nLength: 3", "4 or 5", "4, or maybe 5", "4, 5",
        "There are 3 items in 2 boxes.", "not 3", "Is it 3?", '{"score": 4, "max": 5}',
        "40 + 2 = 42", "no items", "3.5", "3.5 points for 2 flaws", "٤", "9" * 5000, "3²", "2^3",
        "3 (or 4)", "4\n\nActually 5.", "I rate it 4 since 2 of 3 rules hold.", "three items",
        "one or two", "2-3", "2\u20133", "★★★★", "-", "N/A", "unknown", "zero items", "1 000",
        "1.5",
        "3 2", "3, 4", "3; 4", "3 and 4", "3 & 4", "from 3", "3 h 20 min", "3h", '{"count": true}',
        "[1, 2]", "3?", "Rated 4, since rule 2 is broken.", "12/05/2024", "12:30", "+49 30 1234",
        "0x10", "IV", "under 5", "up to 5", "5 or more", "5 at most", "5 minimum",
        "no more than 5", "almost 5", "nearly 5", "5ish", "5.\n\n6.",
    ]),
    (float, [
        "85%", "1/2", "3.5 million", "1,85", "0.85 ± 0.05", "0.8-0.9", "nan", "-inf", "1e999",
        "between 0.8 and 0.9", "3/4", "50 %", "0.8 to 0.9", "half",
    ]),
    (Share, [
        "85", "150%",
    ]),
    (Rating, [
        "6",
    ]),
    (Stars, [
        "4 or 5", "7",
    ]),
    (list[str], [
        '["a"] or ["b"]', "I found none.", "- a\n  - b", '["a", 1]', '["a"',
        "a, or b", "No, none.", "I see a, b", "None, sorry", "Tea is named. So is coffee.",
        "Options:\n- a\n- b\n\nI choose:\n- a", '["a"] and ["b"]', '{"a": "b"}', "null",
        "none", '["a","b"', "[a, b]", '["a"]["b"]', '{"tags": ["a"], "other": ["b"]}',
    ]),
    (list[int], [
        "[1, true]",
    ]),
    (list[Annotated[str, Field(min_length=1)]], [
        "[none]", "[No items found]", "[a, b]",
    ]),
    (list[Optional[str]], [
        "[no answer]",
    ]),
    (list[Team], [
        "[refund, order]", "[refund] or [bug]", "[refund, [bug]]", "[refund",
    ]),
    (dict[str, int], [
        '{"a": true}',
    ]),
    (Order, [
        '{"team":"refund","days":2} or {"team":"bug","days":2}', '{"team":"refund"',
        "team: refund\ndays: 2\nMore follows.", "team: refund", "team: refund\nteam: bug\ndays: 2",
        '{"team":"refund","days":2.5}', '{"team":"refund","days":null}',
        '```json\n{"team":"refund","days":2}\n```\n```json\n{"team":"bug","days":2}\n```',
        '{"team":"refund","days":"2 days"}', '{"team":"refund","days":2,"tags":"a"}',
        '{"team":"refund","days":2,"tags":[true]}', "I cannot.", "", "{}",
        '{"team":"refund" "days":2}',
    ]),
    (str, [
        "  \n ", "<think>never ends", "<|channel|>analysis<|message|>Hi",
    ]),
    (Optional[str], [
        "",
    ]),
    (Optional[Team], [
        "refund or delivery", "not refund",
    ]),
    (Optional[int], [
        "3 or 4", "3 or null", '{"n": "x", "m": null}', "None of the 3 boxes has 2 lids.",
    ]),
    (Optional[bool], [
        "unknown",
    ]),
    (Urgency, [
        "It isn't urgent.",
    ]),
    (Spam, [
        "not spam",
    ]),
    (Kind, [
        "bug, bug report",
    ]),
    (Mood, [
        "mostly positive, slightly negative", "positive/neutral",
    ]),
    (date, [
        "Start: 2024-01-05\nEnd: 2024-02-05", "tomorrow",
    ]),
    (Short, [
        "Title: something that is much too long\nok",
    ]),
    (list[Order], [
        '[{"team":"a","days":true}]',
    ]),
]
# fmt: on

# fmt: off
REASONED: list[tuple[Any, dict[str, Any]]] = [
    (Team, {
        "<reasoning>charge</reasoning><answer>refund</answer>": "refund",
        "<reasoning>\nmaybe delivery\n</reasoning>\nrefund": "refund",
        "It mentions delivery.\n\nAnswer: refund": "refund", "refund": "refund",
        "I think\n---\nrefund\n---": "refund",
        "The charge was made twice. Therefore the answer is refund.": "refund",
        "Step 1: a charge.\nStep 2: refund.\n\n<answer>\nrefund\n</answer>\nDone": "refund",
        "<reasoning>It says <answer> tags</reasoning>\n<answer>delivery</answer>": "delivery",
        "**Reasoning**\nThe ticket mentions delivery and a bug.\n\n**Answer**\nrefund": "refund",
        "Reasoning: delivery were late.\nFinal answer: delivery.": "delivery",
        "<answer>refund</answer>\n\nThis is because of delivery.": "refund",
        "Let me think.\n\n- delivery: no\n- bug: no\n- refund: yes\n\nSo the answer is refund.":
            "refund",
        '{"reasoning": "a charge", "answer": "refund"}': "refund", "---\nrefund\n---": "refund",
        "Reason\n---\n\n```\nrefund\n```": "refund", "Because…\n\n**refund**": "refund",
    }),
    (bool, {
        "The text says so.\n\nTrue": True, "<answer>yes</answer>": True,
    }),
    (Order, {
        '{"reasoning": "r", "output": {"team":"refund","days":2}}': Order(team="refund", days=2),
        'Because of a charge.\n\n{"team":"refund","days":2}': Order(team="refund", days=2),
        '<reasoning>a</reasoning><answer>{"team":"refund","days":2}</answer>':
            Order(team="refund", days=2),
        '{"reasoning":"a","team":"refund","days":2}': Order(team="refund", days=2),
    }),
    (str, {
        "<reasoning>r</reasoning>\n<answer>\nDear customer\n\nBye\n</answer>":
            "Dear customer\n\nBye",
        "Reasoning: x\nAnswer: Dear customer": "Dear customer",
        "<answer>Dear customer\n---\nPS</answer>": "Dear customer\n---\nPS",
        "<reasoning>r</reasoning>\n\nDear customer": "Dear customer",
        "Thoughts\n***\nDear customer": "Dear customer", "<answer>Dear customer": "Dear customer",
        "**Reasoning:** r\n\n**Answer:** Dear customer": "Dear customer",
        "### Reasoning\nr\n\n### Answer\nDear customer": "Dear customer",
    }),
    (int, {
        "2 + 3 = 5\n---\n5": 5, "<reasoning>2 and 3</reasoning><answer>about 5</answer>": 5,
    }),
]
REASONED_REFUSED: list[tuple[Any, list[str]]] = [
    (Team, [
        "It could be refund or delivery.",
        "<reasoning>x</reasoning>\n\n<answer>refund or delivery</answer>",
        "The customer was charged.\n---\nNot refund", "<reasoning>\nfoo",
    ]),
    (str, [
        "Dear customer", "Para one.\n\nPara two.", "<reasoning>r</reasoning><answer></answer>",
    ]),
]
# fmt: on


@pytest.mark.parametrize(
    ("annotation", "reply", "value", "reasoning"),
    [
        (annotation, reply, value, reasoning)
        for rows, reasoning in ((READ, False), (REASONED, True))
        for annotation, replies in rows
        for reply, value in replies.items()
    ],
)
def test_one_clear_answer_is_that_answer(
    annotation: Any, reply: str, value: Any, reasoning: bool
) -> None:
    found = read(annotation, reply, reasoning=reasoning)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "reply", "reasoning"),
    [
        (annotation, reply, reasoning)
        for rows, reasoning in ((REFUSED, False), (REASONED_REFUSED, True))
        for annotation, replies in rows
        for reply in replies
    ],
)
def test_what_a_person_would_ask_back_about_is_refused(
    annotation: Any, reply: str, reasoning: bool
) -> None:
    with pytest.raises(OutputParseError):
        read(annotation, reply, reasoning=reasoning)


def test_an_object_of_defaults_is_no_wrapper_of_itself() -> None:
    class Note(BaseModel):
        text: str = ""

    assert read(Note, '{"note": {"text": "a"}}') == Note(text="a")
    assert read(Note, "{}") == Note()


def test_truth_values_are_no_numbers_at_any_depth() -> None:
    class Line(BaseModel):
        count: int
        paid: bool

    assert read(list[Line], '[{"count": 1, "paid": true}]') == [Line(count=1, paid=True)]
    with pytest.raises(OutputParseError, match=r"0\.count: "):
        read(list[Line], '[{"count": true, "paid": true}]')


def test_a_list_in_brackets_of_any_length_is_a_list_or_none() -> None:
    with pytest.raises(OutputParseError):
        read(list[Team], f"[{'a' * 200_000}]")


def test_a_list_without_an_end_may_have_been_cut() -> None:
    output = output_format(list[str], reasoning=False, where="f")
    assert output.parse("- a\n- b")[0] == ["a", "b"]
    assert output.parse('["a"]\nThis list', cut=True)[0] == ["a"]
    with pytest.raises(OutputParseError):
        output.parse("- a\n- b", cut=True)


@pytest.mark.parametrize(
    "text",
    [
        *("<think>" * 9999, "[" * 99999, '{"' * 9999, "`" * 99999, "- a\n" * 9999, "3 or " * 9999),
        *("delivery " * 4000, "not delivery " * 4000, "```json\n" * 4000),
    ],
)
@pytest.mark.parametrize("annotation", [Team, int, list[str], Optional[Team], Order], ids=str)
def test_long_replies_are_read_or_refused_at_once(annotation: Any, text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(OutputParseError):
        read(annotation, text)
    assert time.process_time() - began < 3
