"""Fill meta-prompts with the task: dataset and program summary, module, examples, history."""

from __future__ import annotations

import inspect
import json
import linecache
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import CodeType

from pytest_mipro.errors import OutputParseError
from pytest_mipro.optimizer.proposing.strategy import Example, ProposalContext, ProposalRequest
from pytest_mipro.optimizer.proposing.told_of_prompts import TEXT_LINE, told_of_prompt
from pytest_mipro.optimizer.study.case import Case, CaseRun, TestSpec
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.signature.json_values import to_text
from pytest_mipro.runtime.signature.signature import Signature, input_text
from pytest_mipro.runtime.signature.text_signature import TextSignature

Messages = tuple[Message, ...]
Ask = Callable[[Callable[[int], Messages]], Awaitable[str]]
"""Asks a proposer model; what it is given makes the messages within a limit of characters."""
_SUMMARY_ROWS = 20
_VALUE_LIMIT = 400
_TEXT_LIMIT = 1500
_SOURCE_LIMIT = 6000
_WORTH_TELLING = 12  # lines of a one-module program; the module's own line says all of less
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_SECTION = re.compile(r"^## [^\n]*\n\{\{(\w+)\}\}\n\n| \{\{(\w+)\}\}", re.MULTILINE)
_ROLES = re.compile(r"^# (System|User)\n", re.MULTILINE)


def meta_prompt(
    name: str, values: Mapping[str, str], limit: int
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """Return the messages of the meta-prompt `name`, and the names of the values that were cut.

    The file has two parts, `# System` and `# User`. Parts and placeholders `{{…}}` are found before
    a value is inserted, so a value can't add either. A section whose value is empty is left out.
    Beyond `limit` characters, the longest values are cut to head and tail, all to the same length.
    """
    text = _SECTION.sub(lambda m: m[0] if values[m[1] or m[2]] else "", _text(name))
    used = {place: values[place] for place in _PLACE.findall(text)}
    room = max(0, limit - len(_PLACE.sub("", text)))
    most = _fitting(sorted(len(value) for value in used.values()), room)
    cut = tuple(place for place, value in used.items() if len(value) > most)
    fitted = {place: head_and_tail(value, most) for place, value in used.items()}
    parts = _ROLES.split(text)
    messages = tuple(
        Message(
            "system" if role == "System" else "user",
            _PLACE.sub(lambda match: fitted[match[1]], body.strip()),
        )
        for role, body in zip(parts[1::2], parts[2::2], strict=True)
    )
    return messages, cut


def _fitting(lengths: Sequence[int], room: int) -> int:
    """Return the greatest common limit under which texts of these ascending lengths fit."""
    for index, length in enumerate(lengths):
        share = room // (len(lengths) - index)
        if length > share:
            return share
        room -= length
    return max(lengths, default=0)


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath("meta_prompts", f"{name}.md").read_text(encoding="utf-8")


def head_and_tail(text: str, limit: int) -> str:
    """Return the text, or its head and tail around a note, in at most `limit` characters."""
    if len(text) <= limit:
        return text
    kept = max(0, limit - len(f" […{len(text)} characters left out…] "))
    mark = f" […{len(text) - kept} characters left out…] "[:limit]
    head = (kept + 1) // 2
    return text[:head] + mark + text[len(text) - (kept - head) :]


async def dataset_summary(cases: Sequence[Case], seed: int, ask: Ask) -> str:
    """Return the proposer's summary of the rows, from a sample of them; "" if there are none."""
    rows = list({case.row: case for case in cases if case.demo}.values())
    random.Random(f"{seed}/dataset").shuffle(rows)  # noqa: S311 - a draw, no secret
    if not rows:
        return ""
    return await ask(_asking("describe_dataset", rows=_rows_text(rows[:_SUMMARY_ROWS])))


def _asking(name: str, **values: str) -> Callable[[int], Messages]:
    return lambda limit: meta_prompt(name, values, limit)[0]


def _rows_text(cases: Iterable[Case]) -> str:
    return "\n\n".join(
        "\n".join(
            f"{name}: {head_and_tail(to_text(value), _VALUE_LIMIT)}"
            for name, value in case.columns.items()
        )
        for case in cases
    )


async def program_summary(
    runs: Iterable[CaseRun], signatures: Sequence[Signature], ask: Ask
) -> str:
    """Return the proposer's description of the program, from the source seen in the traces.

    It is "", and nothing is asked, for a short program of one module: there is nothing to tell.
    """
    source = head_and_tail(program_source(runs), _SOURCE_LIMIT)
    if len(signatures) < 2 and source.count("\n") < _WORTH_TELLING:
        return ""
    modules = "\n".join(f"- {module_text(signature)}" for signature in signatures)
    return await ask(_asking("describe_program", source=source, modules=modules))


def program_source(runs: Iterable[CaseRun]) -> str:
    """Return the source of the project's functions between test and module, and of its steps.

    Each stands there once. The outermost function, the test, stays out: the proposer sees the
    program, not the metric.
    """
    codes: dict[CodeType, None] = {}
    for run in runs:
        codes |= dict.fromkeys(code for call in run.calls for code in call.stack[1:])
        codes |= dict.fromkeys(step.code for step in run.steps)
    return "\n".join(filter(None, (_source(code) for code in codes)))


def _source(code: CodeType) -> str:
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    if not lines or code.co_name.startswith("<"):
        return ""
    return "".join(inspect.getblock(lines))


def module_text(signature: Signature) -> str:
    """Return one line with the module's name, inputs and output."""
    if isinstance(signature, TextSignature):
        return f"`{signature.full_name}`: {TEXT_LINE}"
    wanted = signature.output.instruction()
    output = f"The format that it is told by itself: {wanted}" if wanted else "It replies in text."
    inputs = [_input_text(name, signature.described) for name in signature.inputs]
    return f"`{signature.full_name}`: inputs {', '.join(inputs) or 'none'}. {output}"


def _input_text(name: str, described: Mapping[str, str]) -> str:
    return f"{name} ({described[name]})" if name in described else name


def module_examples(
    runs: Iterable[CaseRun], signature: Signature, tests: Mapping[str, TestSpec]
) -> list[Example]:
    """Return the module's distinct calls in the runs, in case order, without `demo: false` rows.

    A call for a tool is one where no answer followed: scores and feedback are of answers.
    A call that several tests of a row share is one example: its score is their mean, and its
    feedback names each test, so that the proposer can tell which one the module is to blame for.
    """
    judged: dict[tuple[str, str], list[tuple[CaseRun, ModuleCall]]] = {}
    for run in runs:
        if not run.case.demo or run.outcome.score is None:
            continue
        calls = [call for call in run.calls if call.signature.prompt_path == signature.prompt_path]
        for call in [each for each in calls if not each.calls_tool] or calls:
            inputs = json.dumps(dict(call.inputs), sort_keys=True)
            judged.setdefault((run.case.row, inputs), []).append((run, call))
    return [_example(row, pairs, tests) for (row, _), pairs in judged.items()]


def _example(
    row: str, pairs: Sequence[tuple[CaseRun, ModuleCall]], tests: Mapping[str, TestSpec]
) -> Example:
    scores = {run.case.id: run.outcome.score or 0.0 for run, _ in pairs}
    several = len({run.case.test for run, _ in pairs}) > 1
    lines = dict.fromkeys(
        f"{run.case.test}: {run.outcome.feedback or 'passed'}" if several else run.outcome.feedback
        for run, _ in pairs
    )
    passed = all(tests[run.case.test].passes(scores[run.case.id]) for run, _ in pairs)
    feedback = "" if passed else "\n".join(line for line in lines if line)
    wanted = next((text for run, call in pairs if (text := _wanted(run, call, tests))), "")
    return Example(row, pairs[0][1], sum(scores.values()) / len(scores), feedback, passed, wanted)


def _wanted(run: CaseRun, call: ModuleCall, tests: Mapping[str, TestSpec]) -> str:
    """Return the text of the call's right output, "" where no label tells it."""
    column = tests[run.case.test].label_column(call.signature.name, run.case.columns)
    if column is None:
        return ""
    label, output = run.case.columns[column], call.signature.output
    try:
        label = output.dump(output.load(label))
    except OutputParseError:
        if label is None:
            return ""
    return to_text(label)


def choose_examples(examples: Sequence[Example], count: int, rng: random.Random) -> list[Example]:
    """Return up to `count` examples at random, half of them failing if there are enough of each."""
    shuffled = list(examples)
    rng.shuffle(shuffled)
    failing = [example for example in shuffled if not example.passed]
    passing = [example for example in shuffled if example.passed]
    half = count // 2
    failed = failing[: max(half, count - len(passing))]
    chosen = failed + passing[: count - len(failed)]
    rng.shuffle(chosen)
    return chosen


def proposal_request(
    name: str, context: ProposalContext, examples: Sequence[Example], history: int = 0
) -> ProposalRequest:
    """Return the request that the meta-prompt `name` makes of the context and these examples.

    It shows the best `history` instructions beside the current one, the best one last. The
    meta-prompt uses the values it has places for. Beyond the limit, every other example is dropped,
    again if needed, before a text is cut.
    """
    others = [item for item in context.history if item.text != context.instruction][:history]
    scores = [item.score for item in context.history if item.text == context.instruction]
    values = {
        "tip": context.tip,
        "dataset": context.grounding.dataset,
        "program": context.grounding.program,
        "module": module_text(context.signature),
        "instruction": context.instruction,
        "current": f", score {scores[0]:.3f}" if scores else "",
        "history": "\n\n".join(f"Score {i.score:.3f}:\n{i.text}" for i in reversed(others)),
        "name": context.signature.full_name,
        **told_of_prompt(context.signature, context.instruction),
    }
    kept = examples
    while True:
        values["examples"] = examples_text(kept, context.signature)
        values["solved"] = examples_text(kept, context.signature, solved=True)
        messages, cut = meta_prompt(name, values, context.limit)
        if not {"examples", "solved"} & set(cut) or len(kept) <= 1:
            return ProposalRequest(messages, cut, len(examples) - len(kept))
        kept = kept[::2] if len(kept) > 2 else kept[:1]


def examples_text(
    examples: Iterable[Example], signature: Signature, *, solved: bool = False
) -> str:
    """Return the examples as Markdown with their scores, inputs, replies and feedback.

    `solved`: with the right reply alone, where it is known.
    """
    return "\n\n".join(
        _example_text(f"### Example {number}", example, signature, solved=solved)
        for number, example in enumerate(examples, 1)
    )


def _example_text(head: str, example: Example, signature: Signature, *, solved: bool) -> str:
    output = example.call.text
    if not example.call.error:
        output = signature.output.reply_text(example.call.output, example.call.reasoning)
    values = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in example.call.inputs.items()
    }
    inputs = {name: head_and_tail(value, _TEXT_LIMIT) for name, value in values.items()}
    said = to_text(example.call.output)
    wanted = example.wanted if example.wanted != said else ""
    feedback = example.call.error or example.feedback
    if feedback == f"got {said!r}, wanted {wanted!r}":
        feedback = ""  # reply and wanted say the same
    parts = {"Input": input_text(inputs), "Reply": output, "Wanted": wanted, "Feedback": feedback}
    parts |= {name: head_and_tail(parts[name], _TEXT_LIMIT) for name in parts if name != "Input"}
    if solved and (wanted or example.passed):
        parts = {"Input": parts["Input"], "Reply": parts["Wanted"] or parts["Reply"]}
    else:
        ended = "passed" if example.passed else "failed"
        head += f": {ended}, score {example.score:.2f}"
    told = "\n\n".join(f"{name}:\n{text}" for name, text in parts.items() if text)
    return f"{head}\n{told}"
