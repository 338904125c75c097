"""`export`: all prompts as plain OpenAI messages, for what is no Python.

It prints one JSON object: a module's name, and the messages of a call, in which `{name}` stands for
the value of an input. Replace these texts alone: other braces are the prompt's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.cli.modules import asked, modules_named
from pytest_mipro.cli.output import json_text, say
from pytest_mipro.cli.project import in_project
from pytest_mipro.cli.trees import project_root
from pytest_mipro.plugin.config.redaction import redacted, redaction


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "export", help="all prompts as plain OpenAI messages", description=__doc__
    )
    parser.add_argument("targets", nargs="*", metavar="MODULE|FILE", help="these alone")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the messages of all modules, or of those named."""
    root = project_root(Path.cwd())
    say(json_text(in_project(lambda config: _messages(config, root, given.targets or [""]))))
    return 0


def _messages(
    config: pytest.Config, root: Path, targets: list[str]
) -> dict[str, list[dict[str, Any]]]:
    redact = redaction(config)
    modules = [module for target in targets for module in modules_named(root, target)]
    return {
        asked(module).label: [
            redacted(each, redact) for each in module.messages(**module.signature.placeholders)
        ]
        for module in modules
    }
