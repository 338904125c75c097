"""Damaged prompts, locks and replies: one line that names the file, in time linear in its size."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gate_project import write_gate, write_prompt
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mipro.errors import MiproError
from pytest_mipro.plugin.lock.lock_file import (
    Lock,
    LockedCase,
    LockedLesson,
    LockedModule,
    dump_lock,
    parse_lock,
)
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt, parse_prompt
from pytest_mipro.runtime.replies.recorded import RecordedReply
from pytest_mipro.runtime.replies.replies_file import dump_replies, parse_replies
from pytest_mipro.runtime.replies.request_parts import RequestParts

LOCK = Lock(
    "5a17",
    0,
    12,
    demo_rows=("a", "b"),
    lessons=(LockedLesson("grounded", "none", True, False, "demos", 1.0, "m", 0.1, 8),),
    modules=(LockedModule("desk.reply", "prompts/desk.reply.yaml", "p", "d", "s", "m", {"n": 1}),),
    cases=(LockedCase("a", "test_a", "a", "0f", 0.5), LockedCase("b", "test_a", "b", "1e", None)),
)
PROMPT = Prompt("Reply.\nBe kind.", (Demo("a", {"text": "hé", "n": 1.5}, {"queue": [1, None]}),))
REPLIES = [
    RecordedReply(
        key=f"{number:064x}",
        model="m",
        text="hello",
        finish_reason="stop",
        usage=Usage(3, 4),
        cost=0.01,
        asked="2026-03-31",
        **{
            name: ""
            for name in RecordedReply.__dataclass_fields__
            if name
            not in {"key", "model", "text", "finish_reason", "usage", "cost", "asked", "request"}
        },
        request=RequestParts(
            **{name: "" for name in RequestParts.__dataclass_fields__ if name != "sample"}, sample=0
        ),
    )
    for number in range(3)
]
READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "lock": (dump_lock(LOCK), partial(parse_lock, path=Path("test_a.mipro.json"))),
    "prompt": (dump_prompt("desk.reply", PROMPT), partial(parse_prompt, path=Path("a.yaml"))),
    "replies": (dump_replies(REPLIES), partial(parse_replies, name="test_a.replies.jsonl")),
}
PIECES = (
    *("{", "}", "[", "]", '"', ",", ":", "\n", " ", "  - ", "#", "&a ", "*a", "!!map ", "!!int "),
    *("!!python/object:os.system ", "null", "true", "1e999", "-1", "NaN", "9" * 5000, "1" * 299),
    *("\\ud800", "\ud800", "\x00", "\x1b[2J", "\x85", "\ufeff", "<<<<<<< HEAD\n", "|\n", "? "),
    *('"schema_version": 2', "schema_version: x\n", "a" * 3000, "[" * 3000, '{"a":' * 3000),
)


def refused_in_one_line(parse: Callable[[str], Any], text: str) -> bool:
    """Return whether the text is refused; any error but ours, or of two lines, fails the test."""
    try:
        parse(text)
    except MiproError as error:
        refusal = str(error)
    else:
        return False
    assert "\n" not in refusal, text
    assert len(refusal) < 1_000, text
    return True


def mutated(text: str, rng: random.Random) -> str:
    """Return the text after one to four small accidents, as a byte fuzzer makes them."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 1, 1, 2, 8, 40)))
        accident = rng.randrange(4)
        if accident == 0:
            text = text[:start] + rng.choice(PIECES) + text[end:]
        elif accident == 1:
            text = text[:start] + text[end:]
        elif accident == 2:
            text = text[:end] + text[start:]
        elif text:
            flipped = bytearray(text.encode("utf-8", "surrogatepass"))
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
            text = flipped.decode("utf-8", "replace")
    return text


@pytest.mark.parametrize("name", READERS)
def test_a_mutated_file_is_read_or_refused_in_one_line(name: str) -> None:
    text, parse = READERS[name]
    assert not refused_in_one_line(parse, text)
    rng = random.Random(name)
    refused = sum(refused_in_one_line(parse, mutated(text, rng)) for _ in range(600))
    assert 120 < refused < 600, "the mutations reach past the first check"


@pytest.mark.parametrize("name", READERS)
@given(
    text=st.text(st.characters(codec=None), max_size=200)
    | st.lists(st.sampled_from(PIECES)).map("".join)
)
@settings(max_examples=60)
def test_any_text_is_read_or_refused_in_one_line(name: str, text: str) -> None:
    refused_in_one_line(READERS[name][1], text)


def keys_of(count: int) -> str:
    return ", ".join(f'"k{number}": 1' for number in range(count))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "huge",
    [
        lambda size: "[" * size + "]" * size,
        lambda size: '{"a": ' * size + "1" + "}" * size,
        lambda size: "{" + keys_of(size) + "}",
        lambda size: "{" + keys_of(size) + f', "k{size - 1}": 2}}',
        lambda size: f'{{"a": {"9" * size}}}',
        lambda size: "- " * size,
        lambda size: "demos:\n" + "".join(f"- k{number}: 1\n" for number in range(size)),
    ],
    ids=["lists", "objects", "keys", "a key twice", "digits", "dashes", "rows"],
)
def test_a_huge_file_takes_linear_time(name: str, huge: Callable[[int], str]) -> None:
    parse = READERS[name][1]
    assert refused_in_one_line(parse, huge(100))
    started = time.process_time()
    assert refused_in_one_line(parse, huge(8_000))
    assert time.process_time() - started < 5, "1 s on a slow machine; quadratic: a minute"


def test_a_large_lock_is_read_in_linear_time() -> None:
    many = [f"row {number}" for number in range(20_000)]
    cases = tuple(LockedCase(name, "test_a", name, "0f", 1.0) for name in many)
    text = dump_lock(Lock("", 0, 1, demo_rows=tuple(many), cases=cases))
    started = time.process_time()
    assert len(parse_lock(text, Path("test_a.mipro.json")).cases) == len(many)
    assert time.process_time() - started < 10, "0.5 s on a slow machine; quadratic: minutes"


@pytest.mark.parametrize("name", ["test_words.mipro.json", "prompts", "test_words.replies.jsonl"])
def test_no_damaged_file_ends_pytest_by_an_internal_error(
    pytester: pytest.Pytester, name: str
) -> None:
    write_gate(pytester)
    prompt = write_prompt(pytester, "Say it loudly.")
    assert pytester.runpytest_inprocess("--mipro-replies=record", "--mipro-update-lock").ret == 0
    path = prompt if name == "prompts" else pytester.path / name
    text, rng = path.read_text(), random.Random(name)
    for _ in range(4):
        path.write_text(mutated(text, rng), encoding="utf-8", errors="surrogateescape")
        result = pytester.runpytest_inprocess("--mipro-replies=replay")
        assert result.ret in {0, 1, 2, 4}, path.read_bytes()
        output = result.stdout.str() + result.stderr.str()
        assert "Traceback" not in output, path.read_bytes()
