"""`show`: the exact messages of a prompt, as one reads them, as a curl command, or as JSON.

Without a case, `{name}` stands for the value of an input. With one, its tests run on the replies of
the cache and of recordings, and the messages are those that its modules would send: nothing is
asked of a model.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.cli.case_requests import requests_of_case
from pytest_mipro.cli.modules import AnyModule, asked, modules_named
from pytest_mipro.cli.output import json_text, say
from pytest_mipro.cli.project import in_project
from pytest_mipro.cli.trees import project_root
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.config.redaction import redaction
from pytest_mipro.plugin.measuring.shown_calls import text_of
from pytest_mipro.runtime.calls.parameters import PRIVATE_PREFIX
from pytest_mipro.runtime.client.contract import Request

FORMS = ("messages", "curl", "json")
_URL = '"${OPENAI_BASE_URL:-https://api.openai.com/v1}/chat/completions"'
_KEY = '"Authorization: Bearer $OPENAI_API_KEY"'


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show", help="the exact messages of a prompt", description=__doc__
    )
    parser.add_argument(
        "target", metavar="MODULE|FILE", help="an LM module's name, its source or its prompt file"
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
    modules = modules_named(root, target)
    return [show(config, module, [_request(module, form)]) for module in modules]


def _request(module: AnyModule, form: str) -> Request:
    inputs = module.signature.placeholders
    if form != "messages":
        return module.request(**inputs)
    return module.using(model="any").request(**inputs)  # one reads before a model is chosen, too


def _shown_in(
    form: str,
) -> Callable[[pytest.Config, AnyModule, Sequence[Request]], str]:
    """Return what shows a module's requests, each without credentials."""

    def show(config: pytest.Config, module: AnyModule, requests: Sequence[Request]) -> str:
        redact = redaction(config)
        if form == "messages":
            return "\n\n".join([_head(module), *(_readable(each, redact) for each in requests)])
        bodies = [body_of(request, redact) for request in requests]
        if form == "json":
            return "\n".join(map(json_text, bodies))
        return "\n\n".join(
            _curl(request, body) for request, body in zip(requests, bodies, strict=True)
        )

    return show


def _head(module: AnyModule) -> str:
    signature = asked(module)
    path = signature.prompt_path
    from_file = relative_path(path, Path.cwd()) if path.exists() else "its docstring"
    return f"{signature.label} ({from_file})"


def _readable(request: Request, redact: Callable[[str], str]) -> str:
    return text_of((each.role, redact(each.content)) for each in request.messages)


def body_of(request: Request, redact: Callable[[str], str]) -> dict[str, Any]:
    """Return the body of the request in OpenAI's format, without credentials.

    Private parameters are left out, since only digests of their values are known here.
    """
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


def _curl(request: Request, body: dict[str, Any]) -> str:
    command = [
        f"curl -sS {_URL}",
        f"-H {_KEY}",
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json_text(body))}",
    ]
    left_out = sorted(set(request.parameters) - set(body))
    notes = [f"# without the private parameters {', '.join(left_out)}"] if left_out else []
    return "\n".join([*notes, " \\\n  ".join(command)])
