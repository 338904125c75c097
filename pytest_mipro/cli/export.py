"""`export`: all prompts as plain OpenAI messages, for what is no Python.

It prints one JSON object: the name of a module or a prompt text, and the messages of a call, in
which `{name}` stands for the value of an input or placeholder, and `{user_message}` for the
question behind a text. Replace these texts alone: other braces are the prompt's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.cli.output import json_text, say
from pytest_mipro.cli.repo.named import AnyPrompt, asked, prompts_named, text_messages
from pytest_mipro.cli.repo.project import in_project
from pytest_mipro.cli.repo.trees import project_root
from pytest_mipro.plugin.config.redaction import redacted, redaction
from pytest_mipro.runtime.signature.text_signature import TextSignature


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "export", help="all prompts as plain OpenAI messages", description=__doc__
    )
    parser.add_argument("targets", nargs="*", metavar="NAME|FILE", help="these alone")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the messages of all prompts, or of those named."""
    root = project_root(Path.cwd())
    say(json_text(in_project(lambda config: _messages(config, root, given.targets or [""]))))
    return 0


def _messages(
    config: pytest.Config, root: Path, targets: list[str]
) -> dict[str, list[dict[str, Any]]]:
    redact = redaction(config)
    prompts = [prompt for target in targets for prompt in prompts_named(root, target)]
    return {asked(each).label: redacted(_of(each), redact) for each in prompts}


def _of(prompt: AnyPrompt) -> list[dict[str, Any]]:
    if isinstance(prompt, TextSignature):
        return [message.sent() for message in text_messages(prompt)]
    return prompt.messages(**prompt.signature.placeholders)
