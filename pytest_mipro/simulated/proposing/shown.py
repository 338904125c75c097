"""Reads the examples, feedback and current instruction that a request for an instruction shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_mipro.simulated.formats import marked_format
from pytest_mipro.simulated.formats.plain_format import read_fields
from pytest_mipro.simulated.formats.task import Fields
from pytest_mipro.simulated.proposing import shown_records

_EXAMPLE = re.compile(r"^(#{1,6}) +Example\b(?P<title>[^\n]*)$", re.MULTILINE | re.IGNORECASE)
_SECTION = re.compile(
    r"^(?:#{1,6} +)?"
    r"(?P<head>Inputs?|(?:Generated |Expected )?Outputs?|Reply|Wanted|Feedback|Reasoning)"
    r"[ \t]*:?[ \t]*(?P<rest>[^\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_SUBFIELD = re.compile(r"^#{2,6} +(\w+)[ \t]*$", re.MULTILINE)
_SCORE = re.compile(r"score\D{0,3}(\d+(?:\.\d+)?)", re.IGNORECASE)
_PRAISE = re.compile(
    r"\A\W*(?:correct|right|exact|perfect|pass(?:ed)?|well done|good)\b"
    r"(?! (?:answer|label|output|value))|"
    r"\b(?:correctly|(?:is|was) (?:correct|right)|scored? (?:of )?1(?:\.0+)?)(?!\w|\.\d)",
    re.IGNORECASE,
)
_BLAME = re.compile(
    r"\b(?:incorrect\w*|wrong\w*|not|\w+n't|but|instead|should|expected|missing|miss(?:es)?|lacks?|"
    r"fail\w*)\b",
    re.IGNORECASE,
)
_LINE = re.compile(r"^([A-Z][\w ]{0,40}):[ \t]*(.*)$")
_CURRENT = re.compile(
    r"^#{1,6} +(?:Current|Present|Basic) (?:instruction|prompt)s?[^\n]*\n"
    r"(?P<text>.*?)(?=^#{1,6} |\Z)",
    re.MULTILINE | re.IGNORECASE | re.DOTALL,
)
_REQUEST = re.compile(
    r"\n\s*\n(?:Now\b|Write|Propose|Generate|Your task|Please)\b[^\n]*\s*\Z", re.IGNORECASE
)
_FENCED = re.compile(r"```[^\n]*\n(.*?)\n```", re.DOTALL)
_ANSWER = re.compile(r"<answer>\n?(.*?)\n?</answer>\s*\Z", re.DOTALL)
_TAGGED = re.compile(r"\A\s*<(\w+)>\n(.*)\n</\1>\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """One example: input fields, the output, the feedback, whether it is right, its score 0…1.

    `wanted` is the right output where the example tells it.
    """

    inputs: Fields
    output: str
    feedback: str
    passed: bool
    score: float = 0.0
    wanted: str = ""


def current_instruction(text: str, fields: Fields) -> str:
    """Return the instruction in use, "" where none is shown."""
    for name, value in fields:
        if name in ("basic_instruction", "current_instruction", "current_instruction_doc"):
            return value.strip()
    section = _CURRENT.search(text)
    found = section.group("text") if section else ""
    fenced = _FENCED.search(found or text)
    if fenced and (section or "instruction" in text[: fenced.start()].lower()):
        found = fenced.group(1)
    tagged = _TAGGED.match(found)
    return (tagged.group(2) if tagged else found).strip()


def shown_examples(text: str) -> list[Shown]:
    """Return the examples in order: headed blocks, JSON records, or paragraphs of `Name: value`."""
    heads = list(_EXAMPLE.finditer(text))
    if not heads:
        return _records(text) or _paragraphs(text)
    found = []
    for index, head in enumerate(heads):
        end = heads[index + 1].start() if index + 1 < len(heads) else _closing(text)
        found.append(
            _example(_until_higher(text[head.end() : end], len(head.group(1))), head["title"])
        )
    return [example for example in found if example is not None]


def _closing(text: str) -> int:
    """Return where the examples end: before a last paragraph that repeats what is asked for."""
    asked = _REQUEST.search(text)
    return asked.start() if asked else len(text)


def _until_higher(block: str, level: int) -> str:
    """Return the block up to the next heading above the examples' level."""
    if level < 2:
        return block
    higher = re.search(rf"^#{{1,{level - 1}}} +\S", block, re.MULTILINE)
    return block[: higher.start()] if higher else block


def _example(block: str, title: str) -> Shown | None:
    sections = _sections(block)
    given = sections.get("input", sections.get("inputs", ""))
    names = ("reply", "output", "outputs", "generated outputs")
    output = next((sections[name] for name in names if name in sections), "")
    if not given and not output:
        return None
    score = _SCORE.search(title)
    feedback = sections.get("feedback", "").strip()
    value = float(score.group(1)) if score else float(approves(feedback))
    told = re.search(r"\b(passed|failed)\b", title)
    passed = told[1] == "passed" if told else value >= 0.999
    wanted = sections.get("wanted", "").strip()
    return Shown(_inputs(given), _unwrapped(output.strip()), feedback, passed, value, wanted)


def approves(feedback: str) -> bool:
    """Return whether the feedback finds no fault: it praises, or there is none."""
    return not feedback or (bool(_PRAISE.search(feedback)) and not _BLAME.search(feedback))


def _unwrapped(output: str) -> str:
    """Return an output's answer, or the value of its only field, which stands under its name."""
    if answer := _ANSWER.search(output):
        return answer[1]
    if len(marked := marked_format.read_fields(output)) == 1:
        return marked[0][1]
    names = list(_SUBFIELD.finditer(output))
    return output[names[0].end() :].strip() if len(names) == 1 and not names[0].start() else output


def _records(text: str) -> list[Shown]:
    found = []
    for record in shown_records.records(text):
        given, output = shown_records.part(record, "input"), shown_records.part(record, "output")
        feedback = str(shown_records.part(record, "feedback") or "").strip()
        score = shown_records.part(record, "score")
        if output is None:  # columns of a row, of which the last is the result
            *columns, (_, last) = shown_records.fields(record)
            if columns:
                found.append(Shown(tuple(columns), last, "", passed=True, score=1.0))
            continue
        value = float(score) if isinstance(score, int | float) else float(approves(feedback))
        said = shown_records.text_of(output).strip()
        found.append(Shown(shown_records.fields(given), said, feedback, value >= 0.999, value))
    return found


def _sections(block: str) -> dict[str, str]:
    heads: list[re.Match[str]] = []
    seen: set[str] = set()
    for match in _SECTION.finditer(block):
        name = match["head"].lower()
        if name not in seen and (not match["rest"] or ":" in match.group(0)):
            heads.append(match)
            seen.add(name)
    ends = [head.start() for head in heads[1:]] + [len(block)]
    return {
        head["head"].lower(): (head["rest"] + block[head.end() : end]).strip()
        for head, end in zip(heads, ends, strict=True)
    }


def _inputs(text: str) -> Fields:
    names = list(_SUBFIELD.finditer(text))
    if names:
        ends = [name.start() for name in names[1:]] + [len(text)]
        return tuple(
            (n.group(1), text[n.end() : e].strip()) for n, e in zip(names, ends, strict=True)
        )
    if marked := marked_format.read_fields(marked_format.without_wish(text)):
        return marked
    fields = read_fields(text)
    if fields and fields[0][0] != "input":
        return fields
    lines = _named_lines(text)
    return lines or fields


def _paragraphs(text: str) -> list[Shown]:
    found = []
    for block in re.split(r"\n\s*\n", text):
        fields = _named_lines(block)
        if len(fields) >= 2:
            found.append(Shown(fields[:-1], fields[-1][1].strip(), "", passed=True))
    return found


def _named_lines(text: str) -> Fields:
    fields: list[tuple[str, str]] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            fields.append((match.group(1).lower().replace(" ", "_"), match.group(2)))
        elif fields:
            name, value = fields[-1]
            fields[-1] = (name, f"{value}\n{line}")
        else:
            return ()
    return tuple(fields)
