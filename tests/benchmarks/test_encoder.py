"""The sentence encoder as a model, and the tasks of public intents: with letters for an encoder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.comparison import task_files
from benchmarks.real_model import intent_tasks
from benchmarks.real_model.encoder_process import ADVICE, answer, completion

OURS = "Say it.\n\nReply with exactly one of these values and nothing else:\n- card_lost\n- top_up"
THEIRS = (
    "Your input fields are:\n1. `query` (str):\nYour output fields are:\n1. `answer` (Literal):\n"
    "[[ ## answer ## ]]\n{answer}        # note: the value you produce must exactly match (no "
    "extra characters) one of: card_lost; top_up\n"
)


def letters(text: str) -> np.ndarray:
    counts = np.array([text.count(chr(97 + place)) for place in range(26)], dtype=float)
    return counts / max(1.0, float(np.linalg.norm(counts)))


def ours(query: str, *demos: tuple[str, str]) -> list[dict[str, str]]:
    turns = [("user", f"<query>\n{asked}\n</query>") for asked, _ in demos]
    told = [("assistant", label) for _, label in demos]
    pairs = [turn for pair in zip(turns, told, strict=True) for turn in pair]
    said = [("system", OURS), *pairs, ("user", f"<query>\n{query}\n</query>")]
    return [{"role": role, "content": text} for role, text in said]


def test_the_nearest_label_or_demo_answers() -> None:
    assert answer(ours("lost my card"), letters) == "card_lost"
    assert answer(ours("zzz"), letters) == "card_lost"
    assert answer(ours("zzz", ("zz", "top_up")), letters) == "top_up"
    assert answer(ours("zzz", ("zz", "other")), letters) == "card_lost"


def test_dspy_is_answered_in_its_form() -> None:
    turns = [
        ("system", THEIRS),
        ("user", "[[ ## query ## ]]\nzz"),
        ("assistant", "[[ ## answer ## ]]\ntop_up\n\n[[ ## completed ## ]]\n"),
        ("user", "[[ ## query ## ]]\nzzz\n\nRespond with the corresponding output fields"),
    ]
    messages = [{"role": role, "content": text} for role, text in turns]
    assert answer(messages, letters) == "[[ ## answer ## ]]\ntop_up\n\n[[ ## completed ## ]]"


def test_it_writes_no_instruction() -> None:
    messages = [{"role": "user", "content": "Write a better instruction."}]
    assert answer(messages, letters) == ADVICE
    usage = completion({"model": "m", "messages": messages}, letters)["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


@pytest.fixture
def sets(tmp_path):
    for task in intent_tasks.TASKS:
        rows = [(f"text {place} of it", f"intent_{place % 30}") for place in range(3_000)]
        folder = tmp_path / task.source / "train"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "seq.in").write_text("".join(f"{text}\n" for text, _ in rows))
        (folder / "label").write_text("".join(f"{intent}\n" for _, intent in rows))
    return tmp_path


def test_tasks_are_made_of_the_sets_that_are_there(sets, tmp_path):
    intent_tasks.main([str(sets), str(tmp_path / "tasks")])
    for task in intent_tasks.TASKS:
        path = tmp_path / "tasks" / f"{task.name}.json"
        world, data = task_files.read(path), json.loads(path.read_text())
        assert (len(world.rows), len(world.test_rows)) == (120, 200)
        assert len(data["labels"]) == task.intents
        assert {row["want"] for row in data["train"]} <= set(data["labels"])
        assert any(label.startswith("K0") for label in data["labels"]) == task.coded


def test_a_set_with_too_few_rows_is_refused():
    rows = [(f"text {place}", "one") for place in range(9)]
    with pytest.raises(ValueError, match="SNIPS has 9 rows of snips"):
        intent_tasks.task_of(intent_tasks.TASKS[-1], rows)
