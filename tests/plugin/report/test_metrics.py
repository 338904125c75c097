"""The further metrics of `Score`: their means in every report, and those of each case."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_mipro.runtime.text.number_words import measured

SOURCE = """
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize(("text", "cited", "words"), [("a", 1, 1200), ("b", 0, 2000), ("c", 1, 31)])
def test_echo(text, cited, words):
    echo(text=text)
    more = {} if text == "c" else {"tiny_share": 0.0005}
    return Score(float(text != "b"), feedback="no", cited=cited, words=words, **more)
"""
MEANS = "    metrics: cited 0.667, tiny_share 0.0005 (2 cases), words 1,077"


def block(result: pytest.RunResult) -> list[str]:
    lines = result.outlines
    return lines[next(n for n, line in enumerate(lines) if "- mipro: test_desk.py -" in line) + 1 :]


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_the_block_has_their_means(
    pytester: pytest.Pytester, desk: Callable[..., None], workers: Any
) -> None:
    desk(SOURCE)
    lines = block(pytester.runpytest(*workers))
    assert MEANS in lines
    assert not [line for line in lines if "metrics by case" in line]


def test_a_verbose_one_has_those_of_each_case(
    pytester: pytest.Pytester, desk: Callable[..., None]
) -> None:
    desk(SOURCE)
    lines = block(pytester.runpytest("-v"))
    assert MEANS in lines
    place = lines.index("    metrics by case: 3 cases")
    assert lines[place + 1 : place + 4] == [
        "      a-1-1200: cited 1.000, tiny_share 0.0005, words 1,200",
        "      b-0-2000: cited 0.000, tiny_share 0.0005, words 2,000",
        "      c-1-31: cited 1.000, words 31.0",
    ]
    partial = block(pytester.runpytest("-v", "-k", "c-1-31"))
    assert "      c-1-31: cited 1.000, words 31.0" in partial
    assert not [line for line in partial if line.startswith("    metrics: ")]


def test_a_failed_verdict_has_them_too(
    pytester: pytest.Pytester, desk: Callable[..., None]
) -> None:
    desk(SOURCE.replace("0.5)", "0.9)", 1))
    result = pytester.runpytest("-v")
    assert result.ret == 1
    assert MEANS in block(result)
    assert result.outlines.count("    metrics by case: 3 cases") == 1


def test_the_json_report_and_markdown_have_their_means(
    pytester: pytest.Pytester, desk: Callable[..., None]
) -> None:
    desk(SOURCE)
    pytester.runpytest("--mipro-json=r.json", "--mipro-markdown=r.md")
    (test,) = json.loads((pytester.path / "r.json").read_text())["studies"][0]["tests"]
    assert test["metrics"]["tiny_share"] == {"mean": 0.0005, "cases": 2}
    assert test["metrics"]["cited"] == {"mean": pytest.approx(2 / 3), "cases": 3}
    assert list(test["cases"][2]["metrics"]) == ["cited", "words"]
    text = html.unescape((pytester.path / "r.md").read_text())
    assert "test_echo</code>: metrics cited 0.667, tiny_share 0.0005 (2 cases)" in text


def test_without_metrics_there_is_no_line(
    pytester: pytest.Pytester, desk: Callable[..., None]
) -> None:
    desk("@pytest.mark.mipro(threshold=0.5)\ndef test_it(): return Score(1.0)")
    result = pytester.runpytest("-v", "--mipro-json=r.json")
    assert not [line for line in block(result) if "metrics" in line]
    (test,) = json.loads((pytester.path / "r.json").read_text())["studies"][0]["tests"]
    assert test["metrics"] == {}


def test_a_name_cannot_break_the_block(
    pytester: pytest.Pytester, desk: Callable[..., None]
) -> None:
    desk(SOURCE.replace('"tiny_share"', '"x\\x1b[31m\\n" * 30'))
    lines = block(pytester.runpytest("-v"))
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.000"),
        (0.82, "0.820"),
        (-9.5, "-9.500"),
        (31.46, "31.5"),
        (1519.6, "1,520"),
        (0.0005, "0.0005"),
        (-3e-7, "-3e-07"),
    ],
)
def test_numbers_of_any_size(value: float, text: str) -> None:
    assert measured(value) == text
