"""docs/types.md: each row of its tables is what a module does, and its example runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro import lm_module

PAGE = (Path(__file__).parents[2] / "docs/types.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TABLES = ("## Inputs", "### Descriptions", "### Images and files", "## Outputs")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
NAMES: dict[str, Any] = {"__name__": __name__, "lm_module": lm_module}
exec(compile(BLOCKS[0], __file__, "exec", dont_inherit=True), NAMES)


def rows(heading: str) -> list[tuple[str, ...]]:
    """Return the cells of the table under a heading; a cell's text is the code in it."""
    text = PAGE.partition(f"\n{heading}\n")[2].partition("\n|---|")[2].partition("\n\n")[0]
    lines = (line.strip("| ") for line in text.splitlines()[1:])
    return [tuple(re.split(r" *(?<!\\)\| *", line)) for line in lines]


def code(cell: str) -> str:
    return "\n".join(found.strip() for _, found in _CODE.findall(cell))


def value(text: str) -> Any:
    return eval(text.replace("\\|", "|"), NAMES)  # our own page


def module(parameter: str, output: str) -> Any:
    source = f'@lm_module\ndef f({parameter}) -> {output}:\n    """Do it."""'
    exec(compile(source.replace("\\|", "|"), __file__, "exec", dont_inherit=True), NAMES)
    return NAMES["f"]


INPUTS = [
    (annotation, given, shown)
    for annotations, given, shown in rows("## Inputs")
    for annotation in code(annotations).split("\n")
]


@pytest.mark.parametrize(("annotation", "given", "shown"), INPUTS)
def test_an_input_is_shown_as_the_page_says(annotation: str, given: str, shown: str) -> None:
    last = module(f"x: {annotation}", "str").messages(x=value(code(given)))[-1]
    assert last["content"] == f"<x>\n{code(shown)}\n</x>"


@pytest.mark.parametrize(("annotation", "said"), rows("### Descriptions"))
def test_an_input_is_described_as_the_page_says(annotation: str, said: str) -> None:
    described = module(f"x: {code(annotation)}", "str")
    assert described.messages(x=1)[0]["content"] == f"Do it.\n\nThe inputs:\n{code(said)}"


@pytest.mark.parametrize(("annotation", "told", "reply", "returned"), rows("## Outputs"))
def test_an_output_is_asked_for_and_read_as_the_page_says(
    annotation: str, told: str, reply: str, returned: str
) -> None:
    asking = module("x: str", code(annotation).partition("\n")[0])
    _, _, wanted = asking.messages(x="")[0]["content"].partition("Do it.")
    lead = re.search(r"Reply with one JSON value.*?:(?=\")", " ".join(PAGE.split()))
    assert lead is not None
    shapes = {"[": lead[0], "{": lead[0].replace("JSON value", "JSON object")}
    assert wanted.strip() == "\n".join(filter(None, (shapes.get(code(told)[:1]), code(told))))
    assert asking.parse(code(reply)) == value(code(returned))


def test_every_row_is_tested() -> None:
    tables = [rows(heading) for heading in TABLES]
    assert (
        sum(map(len, tables)) == len(re.findall(r"^\| (?!annotated|made)", PAGE, re.MULTILINE)) > 25
    )


def test_each_way_to_make_an_image_or_a_file_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = b"\x89PNG\r\n\x1a\n"
    Path("cat.png").write_bytes(data)
    Path("bill.pdf").write_bytes(b"%PDF-1.7")
    names: dict[str, Any] = {"__name__": __name__, "data": data}
    exec(compile(BLOCKS[2], __file__, "exec", dont_inherit=True), names)
    ways = [way for _, ways in rows("### Images and files") for way in code(ways).split("\n")]
    made = [eval(way.replace("…", "AAAA"), names) for way in ways]
    images = [each for each in made if isinstance(each, names["Image"])]
    files = [each for each in made if isinstance(each, names["File"])]
    assert (len(images), len(files)) == (4, 2)
    for file in files:
        sent = names["total"].messages(file, images, "EUR")[-1]["content"]
        assert [part["type"] for part in sent] == [
            "text",
            "file",
            "text",
            *4 * ["image_url"],
            "text",
        ]


def test_a_conversation_is_sent_as_the_page_shows() -> None:
    names: dict[str, Any] = {"__name__": __name__}
    setup, _, call = BLOCKS[1].partition("answer.messages(")
    exec(compile(setup, __file__, "exec", dont_inherit=True), names)
    sent = eval(f"answer.messages({call}", names)
    shown = [
        "\n".join(
            (each["role"] if not n else "").ljust(11) + line
            for n, line in enumerate(each["content"].split("\n"))
        )
        for each in sent
    ]
    block = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    assert "\n".join(line.rstrip() for line in "\n".join(shown).split("\n")) == block[1].rstrip(
        "\n"
    )
