"""Parse the command line, run the command, and turn errors into one line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pytest_mipro.cli import check, cost, diff, export, import_dspy, init, show
from pytest_mipro.cli.output import complain
from pytest_mipro.errors import MiproError
from pytest_mipro.runtime.text.redaction import one_line

_COMMANDS = (show, check, init, diff, cost, import_dspy, export)
_LONGEST = 2_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, 1 where `check` finds a difference, 2 on errors, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(
        "python -m pytest_mipro", description="Start with a repo, and look at its prompts."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_to(commands)
    given = parser.parse_args(arguments)
    try:
        status: int = given.run(given)
    except MiproError as error:
        complain(one_line(error, _LONGEST))
        return 2
    except BrokenPipeError:  # of the output: whoever started the process deals with it
        raise
    except OSError as error:
        complain(f"{error.filename or 'a file'}: can't be used ({error.strerror or error})")
        return 2
    except KeyboardInterrupt:
        complain("interrupted")
        return 130  # as a shell has it for Ctrl-C
    return status
