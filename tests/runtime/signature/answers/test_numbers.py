"""Numbers in replies: one clear number is read, what needs asking back is refused."""

# ruff: noqa: UP007, UP045 - the old spellings of unions are read, too

from __future__ import annotations

from typing import Annotated, Any, Literal, Optional, Union

import pytest
from output_types import of, table_tests
from pydantic import Field

from pytest_mipro.errors import OutputParseError

Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Rating = Annotated[int, Field(ge=1, le=5)]
Stars = Literal[1, 2, 3, 4, 5]

# fmt: off
READ: list[tuple[Any, dict[str, Any]]] = [
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
        "0.85\n\nBecause 3 of 4 rules hold.": 0.85, "-$1,234.50": -1234.5, "\u20130.5": -0.5,
        "The balance is \u2212\u20ac5.": -5.0, "-USD 5": -5.0, "$-5": -5.0, "Total \u2013 $5": 5.0,
    }),
    (Literal[-1, 0, 1], {
        "\u20111": -1, "Score: \uff0d1": -1, "+1": 1,
    }),
    (Share, {
        "85%": 0.85, "85 %": 0.85, "1%": 0.01, "85 percent": 0.85, "0.85": 0.85, "9/10": 0.9,
        "about 85 %": 0.85, "Confidence: 85%": 0.85, "0.9 out of 1": 0.9, "0,85": 0.85,
        "Score: 0,5": 0.5,
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
    (Optional[int], {
        "about 3": 3, "null": None, "none": None, '{"n": 3}': 3, '{"n": "null"}': None,
        '{"n": null}': None, "null\n\nThe text gives no number.": None, "N/A": None,
    }),
    (Union[int, str], {
        "7": 7, '"7"': "7", "I sent 7 items": "I sent 7 items",
    }),
    (Optional[float], {
        "0.5 kg": 0.5,
    }),
]
REFUSED: list[tuple[Any, list[str]]] = [
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
        "minus 5", "The answer is negative $5.",
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
    (Optional[int], [
        "3 or 4", "3 or null", '{"n": "x", "m": null}', "None of the 3 boxes has 2 lids.",
    ]),
]
# fmt: on


test_one_clear_answer_is_that_answer, test_what_one_would_ask_back_about_is_refused = table_tests(
    READ, REFUSED
)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        *((bool, text, True) for text in ("true", "True", "TRUE.", "`true`", "```\ntrue\n```")),
        *((int, text, 42) for text in ("42", " 42.", '"42"', "42.0", "**42**", "4.2e1")),
        *((float, text, -0.5) for text in ("-0.5", "-0.5.", "-5E-1", "```\n-0.5\n```")),
        (float, "7", 7.0),
    ],
)
def test_numbers_and_booleans_are_read(annotation: Any, text: str, value: Any) -> None:
    assert of(annotation).parse(text)[0] == value


@pytest.mark.parametrize(
    ("annotation", "texts"),
    [
        (bool, ["", "1", "0", "null", '"', "truefalse", "[true, false]"]),
        (
            int,
            ["", "true", "4.5", "fourth", "1,00", "null", "[4, 5]", "0x1f", "9" * 5000, "+", "٤"],
        ),
        (float, ["", "true", "NaN", "nan", "Infinity", "-inf", "1e999", "1,5", "null", "{}"]),
    ],
)
def test_what_means_no_number_is_refused(annotation: Any, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(OutputParseError) as caught:
            of(annotation).parse(text)
        assert len(str(caught.value)) < 200, text
