"""`show`: the messages of a prompt, by name, file and case, in each form; no key in any."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cli_project import OWN, PIPELINE, PROMPT, Run, write

from pytest_mipro.cli.show import curl_of
from pytest_mipro.runtime.own_calls.http_call import OwnRequest
from pytest_mipro.runtime.text.redaction import HIDDEN


@pytest.mark.parametrize(
    "target",
    [
        *("route", "pipeline.route", "desk.pipeline.route", "desk.pipeline:route"),
        "desk/prompts/pipeline.route.yaml",
    ],
)
def test_a_module_is_found_by_what_it_is_called(desk: Path, command: Run, target: str) -> None:
    write(desk, "desk/prompts/pipeline.route.yaml", PROMPT)
    ended = command("show", target)
    assert ended.status == 0
    assert ended.out.startswith("pipeline.route (desk/prompts/pipeline.route.yaml)\n\n--- system")
    assert "Choose the queue, well." in ended.out
    assert ended.out.endswith(
        "<summary>\n{summary}\n</summary>\n\n<product>\n{product}\n</product>\n"
    )
    assert "--- assistant ---\nbug" in ended.out


def test_a_source_shows_its_modules_and_docstrings(desk: Path, command: Run) -> None:
    ended = command("show", "desk/pipeline.py")
    assert ended.out.startswith("pipeline.sum_up (its docstring)\n")
    assert "\n\npipeline.route (its docstring)\n" in ended.out


def test_from_a_folder_below_the_project(
    desk: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk / "desk")
    assert "pipeline.route" in command("show", "pipeline.py").out


def test_the_request_as_json_is_what_a_call_sends(desk: Path, command: Run) -> None:
    body = json.loads(command("show", "route", "--as", "json").out)
    assert list(body) == ["model", "messages", "temperature", "max_tokens"]
    assert (body["model"], body["max_tokens"]) == ("gpt-4o", 50)
    assert [each["role"] for each in body["messages"]] == ["system", "user"]


def test_curl_takes_the_key_from_the_environment(
    desk: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-0123456789abcdefghij")
    instruction = 'It\'s sk-proj-0123456789abcdefghij; say "no".'
    write(
        desk,
        "desk/prompts/pipeline.route.yaml",
        PROMPT.replace("Choose the queue, well.", instruction),
    )
    out = command("show", "route", "--as", "curl").out
    assert out.startswith("# without the private parameters user\ncurl ")
    assert "0123456789" not in out
    assert "secret-person" not in out
    words = shlex.split(out.partition("\n")[2].replace("\\\n", ""))
    assert words[words.index("-H") + 1] == "Authorization: Bearer $OPENAI_API_KEY"
    body = json.loads(words[words.index("-d") + 1])
    assert body["messages"][0]["content"].startswith(f'It\'s {HIDDEN}; say "no".')


def test_what_a_prompt_holds_is_printable(desk: Path, command: Run) -> None:
    write(desk, "desk/prompts/pipeline.route.yaml", PROMPT.replace("bug\n", '"\\u202Ebug"\n', 1))
    write(desk, "desk/pipeline.py", PIPELINE.replace('Literal["billing", "bug"]', "str"))
    assert "\\u202ebug" in command("show", "route").out
    shown = command("show", "route", "--as", "json").out
    assert "\u202e" not in shown
    assert json.loads(shown)["messages"][2]["content"] == "\u202ebug"


def test_a_case_shows_what_its_modules_are_sent(desk: Path, command: Run, pytester) -> None:
    write(desk, "desk/prompts/pipeline.route.yaml", PROMPT)
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    before = sorted(path for path in desk.rglob("*") if path.is_file())
    usage = [path.read_bytes() for path in desk.glob(".mipro/usage/*")]
    ended = command("show", "route", "--case", "T-2")
    assert ended.err == ""
    assert ended.out.count("--- system ---") == 1  # two tests make the same call
    assert ended.out.count("<summary>\nsummary of I paid twice.\n</summary>") == 1
    assert "It broke." in ended.out
    own = command("show", "route", "--case", "T-1").out
    assert "summary of It's broken." in own
    assert "It broke." not in own  # the demo taken from the row, as in the gate
    assert sorted(path for path in desk.rglob("*") if path.is_file()) == before
    assert [path.read_bytes() for path in desk.glob(".mipro/usage/*")] == usage


def test_a_case_asks_no_model(desk: Path, command: Run) -> None:
    first = command("show", "sum_up", "--case", "T-2")
    assert "I paid twice." in first.out  # its request is known without a reply
    second = command("show", "route", "--case", "T-2")
    assert second.status == 2
    assert "called: pipeline.sum_up" in second.err
    assert "no reply in the cache or recorded" in second.err
    assert not (desk / ".mipro").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rout",), "did you mean 'pipeline.route'?"),
        (("nothing",), "there are pipeline.route, pipeline.sum_up"),
        (("desk/none.py",), "desk/none.py: there is no such file"),
        (("route", "--case", "T-3"), "no marked test has the case 'T-3'; did you mean 'T-"),
        (("rout", "--case", "T-2"), "did you mean 'pipeline.route'?"),
    ],
)
def test_what_is_not_there_is_one_line(
    desk: Path, command: Run, arguments: tuple[str, ...], said: str
) -> None:
    ended = command("show", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_a_name_of_two_modules_is_refused(desk: Path, command: Run) -> None:
    write(desk, "desk/other.py", PIPELINE)
    ended = command("show", "route")
    assert ended.status == 2
    assert "desk.other.route, desk.pipeline.route" in ended.err
    assert "other.route" in command("show", "other.route").out


def test_a_module_made_by_a_factory_is_found(desk: Path, command: Run) -> None:
    write(
        desk,
        "factory.py",
        "from pytest_mipro import lm_module\n"
        "def make(tone):\n"
        '    @lm_module(prompt=f"prompts/{tone}.md")\n'
        "    def answer(text: str) -> str: ...\n"
        "    return answer\n"
        'kind = make("kind")\n',
    )
    write(desk, "prompts/kind.md", "Be kind.\n")
    assert "Be kind." in command("show", "prompts/kind.md").out


def test_a_source_that_fails_to_import_is_one_line(desk: Path, command: Run) -> None:
    write(desk, "desk/pipeline.py", f"{PIPELINE}\nimport no_such_library\n")
    ended = command("show", "route")
    assert ended.status == 2
    assert "ModuleNotFoundError: No module named 'no_such_library'" in ended.err


def test_a_source_that_ends_python_is_one_line(desk: Path, command: Run) -> None:
    write(desk, "desk/pipeline.py", f"{PIPELINE}\nraise SystemExit('it is a script')\n")
    ended = command("show", "route")
    assert ended.status == 2
    assert "SystemExit: it is a script" in ended.err


def test_settings_of_the_project_do_not_get_in_the_way(desk: Path, command: Run) -> None:
    text = (desk / "pytest.ini").read_text()
    write(
        desk, "pytest.ini", f"{text}addopts = -n 2 --mipro-replies=record\nfilterwarnings = error\n"
    )
    write(desk, "tests/test_broken.py", "import no_such_library\n")
    assert "I paid twice." in command("show", "sum_up", "--case", "T-2").out
    assert "{ticket}" in command("show", "sum_up").out


def test_a_broken_ini_file_is_one_line(desk: Path, command: Run) -> None:
    write(desk, "pytest.ini", "[pytest]\naddopts = --no-such-option\n")
    ended = command("show", "route")
    assert ended.status == 2
    assert "--no-such-option" in ended.err
    assert ended.err.count("\n") == 1


def test_a_variant_is_a_module_of_its_own(desk: Path, command: Run) -> None:
    acme = "desk/prompts/pipeline.route@acme.yaml"
    write(desk, acme, PROMPT.replace("well", "for Acme"))
    for target in ("route@acme", "pipeline.route@acme", "desk.pipeline.route@acme", acme):
        ended = command("show", target)
        assert ended.out.startswith(f"pipeline.route@acme ({acme})\n"), ended.err
        assert "Choose the queue, for Acme." in ended.out
    exported = json.loads(command("export").out)
    assert list(exported) == ["pipeline.sum_up", "pipeline.route", "pipeline.route@acme"]


def test_a_variant_without_a_file_is_the_plain_prompt(desk: Path, command: Run) -> None:
    write(desk, "desk/prompts/pipeline.route.yaml", PROMPT)
    ended = command("show", "desk/pipeline.py@other")
    assert ended.status == 2
    for name, file in (("route", "desk/prompts/pipeline.route.yaml"), ("sum_up", "its docstring")):
        head = f"pipeline.{name}@other ({file}, the plain prompt: the variant has no file)\n"
        assert command("show", f"{name}@other").out.startswith(head)


def test_ctrl_c_ends_a_command(desk: Path, command: Run) -> None:
    write(desk, "desk/pipeline.py", f"{PIPELINE}\nraise KeyboardInterrupt\n")
    ended = command("show", "route")
    assert (ended.status, ended.out, ended.err) == (130, "", "error: interrupted\n")


TRIAGE_MD = "desk/prompts/triage.md"


def test_a_prompt_text_without_a_case(own: Path, command: Run) -> None:
    write(own, "desk/own.py", f"{OWN}\nraise SystemExit('it was imported')\n")
    ended = command("show", "triage.md")
    assert ended.out == (
        f"triage.md ({TRIAGE_MD})\n\n--- text ---\n"
        'You route tickets of {company}. Answer like {"queue": "bug"}.\n\n'
        "--- user ---\nIt broke.\n\n--- assistant ---\nbug\n"
    ), ended.err
    ended = command("show", "triage.md", "--as", "curl")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "`--case ID` shows its request in a case" in ended.err


def test_a_case_shows_the_request_that_holds_a_text(own: Path, command: Run) -> None:
    ended = command("show", "triage.md", "--case", "T-2")
    assert ended.out == (
        f"triage.md ({TRIAGE_MD})\n\n--- system ---\n"
        'You route tickets of Finch. Answer like {"queue": "bug"}.\n\n'
        "--- user ---\nIt broke.\n\n--- assistant ---\nbug\n\n--- user ---\nI paid twice.\n"
    ), ended.err
    own_row = command("show", "triage.md", "--case", "T-1")
    assert "It broke." not in own_row.out  # the demo taken from the row, as in the gate
    body = json.loads(command("show", TRIAGE_MD, "--case", "T-2", "--as", "json").out)
    assert list(body) == ["model", "messages", "max_tokens", "tools"]  # as the client made it
    out = command("show", "desk/own.py", "--case", "T-2", "--as", "curl").out
    words = shlex.split(out.replace("\\\n", ""))
    assert words[:3] == ["curl", "-sS", "https://llm.example.com/v1/chat/completions"]
    assert words[words.index("-H") + 1] == "Authorization: Bearer $OPENAI_API_KEY"
    assert json.loads(words[words.index("-d") + 1]) == body


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("/v1/messages", "x-api-key: $ANTHROPIC_API_KEY"),
        ("/openai/deployments/m/chat/completions?api-version=1", "api-key: $AZURE_OPENAI_API_KEY"),
        ("/v1beta/models/m:streamGenerateContent", "x-goog-api-key: $GEMINI_API_KEY"),
        ("/v1/responses", "Authorization: Bearer $OPENAI_API_KEY"),
    ],
)
def test_a_call_of_another_api_has_its_key_where_that_takes_it(target: str, key: str) -> None:
    body = {"prompt": "It's $HOME"}
    origin = "https://llm.example.com"
    request = OwnRequest("m", (), target=target, origin=origin, body=body)
    words = shlex.split(curl_of(request, str).replace("\\\n", ""))
    assert words[2] == f"{origin}{target}"
    assert words[4] == key
    assert json.loads(words[-1]) == body
