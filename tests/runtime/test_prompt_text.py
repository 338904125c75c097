"""`prompt_text`: the text of a file for a pipeline's own messages, in and outside a case."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_mipro import variant
from pytest_mipro.errors import (
    DetachedCallError,
    ModuleCallError,
    ModuleDefinitionError,
    PromptFileError,
)
from pytest_mipro.runtime.calls.context import CallContext, refuse_detached, use
from pytest_mipro.runtime.calls.own_client import caller
from pytest_mipro.runtime.calls.rendered_texts import owner_of
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Message, ScriptedClient
from pytest_mipro.runtime.prompt_text import PromptText, prompt_text
from pytest_mipro.runtime.prompts.committed_prompts import forget_committed_prompts
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt, file_text, read_prompt

JSON = 'You work for {company}.\nReply as {"queue": "…", "of": "{company}"} or \\boxed{answer}.'
DEMO = Demo("r1", {"user_message": "It {hangs}"}, "bug")


def text_in(folder: Path, content: str, name: str = "triage.md") -> PromptText:
    path = folder / name
    path.write_text(content)
    return prompt_text(str(path))


def with_demos(folder: Path, instruction: str, *demos: Demo) -> PromptText:
    content = dump_prompt("triage.yaml", Prompt(instruction, demos))
    return text_in(folder, content, "triage.yaml")


def test_format_fills_the_placeholders_and_leaves_all_other_braces(tmp_path: Path) -> None:
    text = text_in(tmp_path, f"{JSON}\n")
    assert str(text) == f"{text}" == JSON
    assert text.placeholders == ("company",)
    assert text.format(company="A{C}ME") == JSON.replace("{company}", "A{C}ME")


@pytest.mark.parametrize(
    ("values", "said"),
    [({}, "no value for {company}"), ({"company": "A", "tone": "dry"}, r"no {tone} in it")],
)
def test_names_that_the_file_does_not_declare_are_refused(
    tmp_path: Path, values: dict[str, str], said: str
) -> None:
    text = text_in(tmp_path, JSON)
    with pytest.raises(ModuleCallError, match=f"triage.md:1: .*{said}; its placeholders are"):
        text.format(**values)


@pytest.mark.parametrize("path", ["prompts/none.md", ".", 3, "prompts/a.json", "a@b.md"])
def test_a_path_without_a_file_is_one_clear_error(path: object) -> None:
    with pytest.raises(
        ModuleDefinitionError, match=r"test_prompt_text\.py:\d+: prompt_text: "
    ) as e:
        prompt_text(path)  # type: ignore[arg-type]
    assert "\n" not in str(e.value)


def test_an_empty_file_is_told_at_its_use(tmp_path: Path) -> None:
    with pytest.raises(PromptFileError, match=r"triage\.md:1: the instruction is empty"):
        str(text_in(tmp_path, " \n"))


def test_the_path_is_relative_to_the_calling_file_and_the_file_is_read_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "one.txt").write_text("One.")
    (tmp_path / "app.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom pytest_mipro import prompt_text\n"
        "ONE = prompt_text('prompts/one.txt')\nassert str(ONE) == 'One.'\n"
        "Path(__file__).with_name('prompts').joinpath('one.txt').unlink()\n"
        "assert str(ONE) == 'One.'\n"
        "print(sorted({'pytest', 'optuna', 'litellm'} & set(sys.modules)))\n"
    )
    run = [sys.executable, str(tmp_path / "app.py")]
    done = subprocess.run(run, cwd="/", capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_case_sees_the_candidate_and_its_trace_keeps_errors(tmp_path: Path) -> None:
    text = text_in(tmp_path, JSON)
    candidate = {text.signature.prompt_path: Prompt("Serve {company} well.")}
    context = CallContext(ScriptedClient([]), candidate, trace=Trace())
    with use(context):
        assert text.format(company="ACME") == "Serve ACME well."
        with pytest.raises(ModuleCallError):
            text.format()
    assert context.trace is not None
    assert isinstance(context.trace.broken, ModuleCallError)
    assert str(text) == JSON
    with refuse_detached(), pytest.raises(DetachedCallError, match=r"prompt text 'triage\.md' was"):
        str(text)


def test_demos_come_as_messages_or_inside_the_text(tmp_path: Path) -> None:
    text = with_demos(tmp_path, "Sort for {company}.\n\n{demos}", DEMO)
    assert text.placeholders == ("company",)
    shown = "<example>\nIt {hangs}\n\nReply:\nbug\n</example>"
    assert text.format(company="ACME") == f"Sort for ACME.\n\n{shown}"
    assert text.demos_as_messages() == [
        {"role": "user", "content": "It {hangs}"},
        {"role": "assistant", "content": "bug"},
    ]


def test_a_text_file_holds_demos_in_its_front_matter(tmp_path: Path) -> None:
    prompt = Prompt("Sort. {demos}", (DEMO,))
    text = text_in(tmp_path, file_text(tmp_path / "triage.md", "triage.md", prompt))
    assert text.placeholders == ()
    assert [m["content"] for m in text.demos_as_messages()] == ["It {hangs}", "bug"]
    assert str(text).startswith("Sort. <example>\nIt {hangs}")


def test_a_variant_has_a_text_of_its_own_and_follows_the_plain_one_without(tmp_path: Path) -> None:
    text = text_in(tmp_path, "Sort.")
    (tmp_path / "triage@acme.md").write_text("Sort for ACME.")
    trace = Trace()
    with use(CallContext(ScriptedClient([]), trace=trace)), variant("acme"):
        assert str(text) == "Sort for ACME."
        owner = owner_of((Message("user", "Sort for ACME."),), trace.texts, {})
        with variant("other"):
            assert str(text) == "Sort."
    assert owner is not None
    assert owner.signature.full_name == "triage.md@acme"


def test_front_matter_of_other_tools_is_text(tmp_path: Path) -> None:
    assert str(text_in(tmp_path, "---\nmodel: m\n---\nSort.")) == "---\nmodel: m\n---\nSort."


def test_wrong_front_matter_is_told_by_line(tmp_path: Path) -> None:
    text = text_in(tmp_path, "---\ndemos:\n- case: a\n  input: {}\n---\nSort.")
    with pytest.raises(PromptFileError, match=r"triage\.md:4: unknown key 'input'"):
        str(text)


def test_a_row_never_sees_its_own_demo(tmp_path: Path) -> None:
    text = with_demos(tmp_path, "Sort.{demos}", DEMO, Demo("r2", {"user_message": "Pay"}, "bill"))
    with use(CallContext(ScriptedClient([]), row="r1", trace=Trace())):
        assert [m["content"] for m in text.demos_as_messages()] == ["Pay", "bill"]
        assert "hangs" not in str(text)
    assert "hangs" in str(text)


def test_threads_and_tasks_of_other_rows_see_other_demos(tmp_path: Path) -> None:
    demos = [Demo(f"r{n}", {"user_message": f"Pay {n}"}, "bill") for n in range(8)]
    text = with_demos(tmp_path, "Sort.", *demos)
    meet = threading.Barrier(2)

    async def shown(row: str) -> list[str]:
        with use(CallContext(ScriptedClient([]), row=row, trace=Trace())):
            await asyncio.sleep(0)  # the other row's task has its turn
            return [m["content"] for m in text.demos_as_messages() if m["role"] == "user"]

    async def both(one: str, other: str) -> list[list[str]]:
        return await asyncio.gather(shown(one), shown(other))

    def in_thread(one: str, other: str) -> list[list[str]]:
        meet.wait()
        return asyncio.run(both(one, other))

    with ThreadPoolExecutor(2) as pool:
        pairs = pool.map(in_thread, ["r0", "r2"], ["r1", "r3"])
        missing = [[{f"Pay {n}" for n in range(8)} - set(each) for each in pair] for pair in pairs]
    assert missing == [[{"Pay 0"}, {"Pay 1"}], [{"Pay 2"}, {"Pay 3"}]]


def test_demos_without_a_message_show_the_values_of_placeholders(tmp_path: Path) -> None:
    text = with_demos(tmp_path, "Sort.", Demo("r1", {"ticket": "Pay", "tone": "dry"}, "bill"))
    asked = text.demos_as_messages()[0]["content"]
    assert asked == "<ticket>\nPay\n</ticket>\n\n<tone>\ndry\n</tone>"


def test_one_file_is_one_text_and_copies_and_pickles_are_the_same(tmp_path: Path) -> None:
    text = text_in(tmp_path, "Sort.")
    again = prompt_text(str(tmp_path / "x" / ".." / "triage.md"))
    for other in (again, copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
        assert other.signature is text.signature
    assert repr(text) == "<prompt text 'triage.md'>"


def test_texts_of_one_name_and_their_variants_are_told_to_be_texts(tmp_path: Path) -> None:
    for folder in ("desk", "shop"):
        (tmp_path / folder).mkdir()
    name = "namesake.md"  # of no other test's text
    texts = [text_in(tmp_path / folder, "Sort.", name).signature for folder in ("desk", "shop")]
    labels = [each.label for text in texts for each in (text, text.of_variant("acme"))]
    assert labels[:2] == [f"{name} (desk/{name})", f"{name} (desk/namesake@acme.md)"]
    assert [caller(label) for label in labels] == [f"prompt text {label!r}" for label in labels]
    assert caller("sort (prompts/sort.md)") == "LM module 'sort (prompts/sort.md)'"


def test_a_text_is_written_in_its_own_format(tmp_path: Path) -> None:
    prompt = Prompt('Sort for {company} as {"a": 1}.', (DEMO,))
    for name in ("triage.md", "triage.yaml"):
        text = text_in(tmp_path, file_text(Path(name), name, Prompt("Old.")), name)
        path = text.signature.prompt_path
        path.write_text(file_text(path, text.signature.name, prompt))
        forget_committed_prompts()
        assert read_prompt(path, text.signature) == prompt
        assert str(text) == prompt.instruction
