"""`show`: the exact messages of a prompt, as one reads them, as a curl command, or as JSON.

Without a case, `{name}` stands for the value of an input or a placeholder. With one, its tests run
on the replies of the cache and of recordings, and the messages are those that they would send:
nothing is asked of a model.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.cli.case_requests import requests_of_case
from pytest_mipro.cli.output import json_text, say
from pytest_mipro.cli.repo.importing import AnyModule
from pytest_mipro.cli.repo.named import AnyPrompt, asked, prompts_named, text_messages
from pytest_mipro.cli.repo.project import in_project
from pytest_mipro.cli.repo.trees import project_root
from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.config.redaction import redacted, redaction
from pytest_mipro.plugin.measuring.shown_calls import text_of
from pytest_mipro.runtime.calls.parameters import PRIVATE_PREFIX
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.own_calls.http_call import OwnRequest
from pytest_mipro.runtime.signature.text_signature import TextSignature

FORMS = ("messages", "curl", "json")
_URL = '"${OPENAI_BASE_URL:-https://api.openai.com/v1}/chat/completions"'
_KEY = '"Authorization: Bearer $OPENAI_API_KEY"'
# The headers that other APIs want, by what is in their paths.
_KEYS = (
    ("/v1/messages", ['"x-api-key: $ANTHROPIC_API_KEY"', "'anthropic-version: 2023-06-01'"]),
    ("/deployments/", ['"api-key: $AZURE_OPENAI_API_KEY"']),
    ("enerateContent", ['"x-goog-api-key: $GEMINI_API_KEY"']),
)


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show", help="the exact messages of a prompt", description=__doc__
    )
    parser.add_argument(
        "target",
        metavar="NAME|FILE",
        help="an LM module, a prompt file, or the source that uses them",
    )
    parser.add_argument("--case", metavar="ID", help="with the inputs that this case leads to")
    parser.add_argument("--as", dest="form", choices=FORMS, default="messages")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the messages."""
    root = project_root(Path.cwd())
    if given.case is not None:
        blocks = requests_of_case(root, given.target, given.case, _shown_in(given.form))
    else:
        blocks = in_project(lambda config: _without_case(config, root, given.target, given.form))
    say("\n\n".join(blocks))
    return 0


def _without_case(config: pytest.Config, root: Path, target: str, form: str) -> list[str]:
    show = _shown_in(form)
    return [
        _text(config, prompt, form)
        if isinstance(prompt, TextSignature)
        else show(config, prompt, [_request(prompt, form)])
        for prompt in prompts_named(root, target)
    ]


def _request(module: AnyModule, form: str) -> Request:
    inputs = module.signature.placeholders
    if form != "messages":
        return module.request(**inputs)
    return module.using(model="any").request(**inputs)  # one reads before a model is chosen, too


def _text(config: pytest.Config, text: TextSignature, form: str) -> str:
    """Return a text with its demos: only a case tells in which message it stands."""
    if form != "messages":
        raise ConfigurationError(
            f"{text.label}: the code that sends it chooses model and parameters; `--case ID` shows "
            "its request in a case, `export` the messages alone"
        )
    first, *demos, _ = text_messages(text)
    blocks = [("text", first.content), *((each.role, each.content) for each in demos)]
    redact = redaction(config)
    return f"{_head(text)}\n\n{text_of((title, redact(said)) for title, said in blocks)}"


def _shown_in(
    form: str,
) -> Callable[[pytest.Config, AnyPrompt, Sequence[Request]], str]:
    """Return what shows a prompt's requests, equal ones once, each without credentials."""

    def show(config: pytest.Config, prompt: AnyPrompt, requests: Sequence[Request]) -> str:
        redact = redaction(config)
        one = {"messages": _readable, "curl": curl_of, "json": _json}[form]
        shown = dict.fromkeys(one(request, redact) for request in requests)
        head = [_head(prompt)] if form == "messages" else []
        return ("\n" if form == "json" else "\n\n").join([*head, *shown])

    return show


def _head(prompt: AnyPrompt) -> str:
    signature, note = asked(prompt), ""
    label, path = signature.label, signature.prompt_path
    if signature.plain is not None and not path.exists():
        path, note = signature.plain.prompt_path, ", the plain prompt: the variant has no file"
    from_file = relative_path(path, Path.cwd()) if path.exists() else "its docstring"
    return f"{label} ({from_file}{note})"


def _readable(request: Request, redact: Callable[[str], str]) -> str:
    return text_of((each.role, redact(each.content)) for each in request.messages)


def _json(request: Request, redact: Callable[[str], str]) -> str:
    return json_text(_body(request, redact))


def _body(request: Request, redact: Callable[[str], str]) -> Any:
    """Return the body of the request without credentials: of a module in OpenAI's format.

    That of the pipeline's own client is as it was. Private parameters are left out, since only
    digests of their values are known here.
    """
    if isinstance(request, OwnRequest):
        return redacted(request.body, redact)
    body: dict[str, Any] = {
        "model": request.model.removeprefix("openai/"),
        "messages": [message.sent(redact) for message in request.messages],
    }
    body |= {
        name: value
        for name, value in request.parameters.items()
        if not str(value).startswith(PRIVATE_PREFIX)
    }
    if request.response_schema is not None:
        schema = {"name": "reply", "schema": dict(request.response_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def curl_of(request: Request, redact: Callable[[str], str]) -> str:
    """Return a command that sends the request, its key taken from the environment."""
    body, url, keys, left_out = _body(request, redact), _URL, [_KEY], list[str]()
    if isinstance(request, OwnRequest):
        url = shlex.quote(redact(f"{request.origin}{request.target}"))
        keys = next((each for end, each in _KEYS if end in request.target), keys)
    else:
        left_out = sorted(set(request.parameters) - set(body))
    headers = [f"-H {each}" for each in (*keys, "'Content-Type: application/json'")]
    command = [f"curl -sS {url}", *headers, f"-d {shlex.quote(json_text(body))}"]
    notes = [f"# without the private parameters {', '.join(left_out)}"] if left_out else []
    return "\n".join([*notes, " \\\n  ".join(command)])
