"""Serve a language model on this machine's processor, OpenAI-compatible, on loopback.

    python -m benchmarks.real_model.serve [--weights NAME | --gguf PATH] [--threads N] [--port P]

Downloads the weights at the first use, and makes the server's own environment. Prints the base URL
once the model answers, and serves until Ctrl-C. Give each thread a core of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import environment
from benchmarks.real_model.weights import WEIGHTS, gguf_of

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(".mipro-comparison")
PORT = 8431
_HERE = Path(__file__).parent


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_model.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--weights", choices=list(WEIGHTS), default="qwen-0.5b")
    add("--gguf", type=Path, help="a file that is there already")
    add("--threads", type=int, default=1)
    add("--port", type=int, default=PORT)
    add("--folder", type=Path, default=FOLDER, help="weights and environment")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Become the server's process."""
    options = parsed(arguments)
    gguf = options.gguf or gguf_of(options.weights, options.folder / "weights")
    python = environment.python_of(
        options.folder.absolute() / "model-server", _HERE / "requirements.txt"
    )
    command = [python, _HERE / "model_process.py", gguf, options.port, options.threads]
    sys.stdout.flush()
    os.execv(python, [str(part) for part in command])


if __name__ == "__main__":
    main()
