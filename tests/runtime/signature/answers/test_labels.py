"""Labels in replies, yes and no too: one clear label is read, what needs asking back is refused."""

# ruff: noqa: UP045 - the old spellings of unions are read, too

from __future__ import annotations

from typing import Any, Literal, Optional

import pytest
from output_types import Label, Queue, Team, of, table_tests

from pytest_mipro.errors import OutputParseError

Urgency = Literal["urgent", "not urgent"]
Spam = Literal["spam", "ham"]
Unsure = Literal["yes", "no", "unsure", "unclear"]
Mood = Literal["positive", "negative", "neutral"]
Kind = Literal["bug", "bug report", "feature request"]

# fmt: off
READ: list[tuple[Any, dict[str, Any]]] = [
    (Literal["(A)", "(B)"], {
        "(B) If it rains they stay in.": "(B)", "B) If so": "(B)", '(A) "Oh, great."': "(A)",
    }),
    (Literal["-1", "0", "+1"], {
        "1": "+1", "+1.": "+1", "Score: -1": "-1", "\u22121": "-1",
    }),
    (Literal["-1", "+1", "n/a"], {
        "-1": "-1", "**-1**": "-1", "The score is -1.": "-1", "N/A": "n/a",
    }),
    (Literal["-1", "1", "n/a"], {
        "\u20131": "-1", "Score: \u22121": "-1", "**\u20111**": "-1", "1": "1",
    }),
    (Literal["-5 to 0", "0 to 5"], {
        "\u20135 to 0": "-5 to 0",
    }),
    (Literal["cafe", "caf\u00e9", "Ko\u0308ln"], {
        "cafe\u0301": "caf\u00e9", "Cafe\u0301.": "caf\u00e9", "cafe": "cafe",
        "City: k\u00f6ln": "Ko\u0308ln",
    }),
    (Literal["\u0915\u0940", "\u0915\u0940\u0902"], {
        "\u0915\u0940\u0902.": "\u0915\u0940\u0902", "\u2705\ufe0f \u0915\u0940": "\u0915\u0940",
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
        "refund<|endoftext|>Q: is it other?\nA: other": "refund",
        "refund<|end|>\n\nExplanation: other": "refund", "refund<|im_end|>\nuser\nhi": "refund",
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
    (Optional[Team], {
        "Team: refund": "refund", "None.": None, '"refund"': "refund",
    }),
    (Optional[bool], {
        "no": False,
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
]
REFUSED: list[tuple[Any, list[str]]] = [
    (Literal["-1", "+1", "n/a"], [
        "1",
    ]),
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
    (Optional[Team], [
        "refund or delivery", "not refund",
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
]
# fmt: on


test_one_clear_answer_is_that_answer, test_what_one_would_ask_back_about_is_refused = table_tests(
    READ, REFUSED
)


@pytest.mark.parametrize(
    "text",
    [
        *("billing", "Billing", "BILLING", " billing\n", '"billing"', "'billing'", "`billing`"),
        *("billing.", '"Billing."', "**billing**", "- billing", "```\nbilling\n```"),
        "```text\r\nbilling\r\n```",
    ],
)
def test_a_label_is_known_in_its_usual_dress(text: str) -> None:
    assert of(Label).parse(text)[0] == "billing"


@pytest.mark.parametrize("text", ["bill", "bug or how-to", "bug\nbilling", "x" * 9**6])
def test_what_is_no_label_is_refused_with_the_labels(text: str) -> None:
    with pytest.raises(OutputParseError, match="is none of: billing, bug, how-to") as caught:
        of(Label).parse(text)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_labels_that_differ_by_case_are_told_apart() -> None:
    output = of(Literal["us", "US"])
    assert (output.parse("us")[0], output.parse(" US ")[0]) == ("us", "US")
    with pytest.raises(OutputParseError):
        output.parse("Us")


@pytest.mark.parametrize("text", ["billing", "Billing.", "**billing**", "- billing"])
def test_an_optional_enum_is_as_lenient_as_the_enum(text: str) -> None:
    for annotation in (Optional[Queue], Queue | None, Label | None):
        assert of(annotation).parse(text)[0] == "billing"
        assert of(annotation).parse("null")[0] is None
    assert of(Literal["null", "x"] | None).kind == "json"  # its texts would not be distinct
