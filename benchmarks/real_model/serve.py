"""Serve a language model on this machine's processor, OpenAI-compatible, on loopback.

    python -m benchmarks.real_model.serve [--weights NAME | --gguf PATH] [--threads N] [--port P]
    python -m benchmarks.real_model.serve --encoder [--port P]

Downloads the weights at the first use, makes the server's own environment, and stores the weights
in 8 bits (some minutes). Prints the base URL once the model answers, and serves until Ctrl-C. Give
each thread a core of its own. `--encoder` serves a sentence encoder that names labels, and writes
no text.
"""

from __future__ import annotations

import argparse
import os
import subprocess
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
    add("--encoder", action="store_true", help="a sentence encoder in place of a language model")
    add("--threads", type=int, default=1)
    add("--port", type=int, default=PORT)
    add("--folder", type=Path, default=FOLDER, help="weights and environment")
    return parser.parse_args(arguments)


def eight_bits_of(gguf: Path, folder: Path, python: Path) -> Path:
    """Return the file with the weights in 8 bits; make it if it is not there."""
    path = folder / f"{gguf.stem}-{gguf.stat().st_size}-8-bits.gguf"
    if not path.is_file():
        print(f"storing {gguf} in 8 bits as {path}", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([python, _HERE / "eight_bits.py", gguf, path], check=True)
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Become the server's process."""
    options = parsed(arguments)
    sys.stdout.flush()
    command = _encoder(options) if options.encoder else _language_model(options)
    os.execv(str(command[0]), [str(part) for part in command])


def _encoder(options: argparse.Namespace) -> list[object]:
    folder = options.folder.absolute() / "encoder-server"
    python = environment.python_of(folder, _HERE / "encoder.txt")
    return [python, _HERE / "encoder_process.py", options.port]


def _language_model(options: argparse.Namespace) -> list[object]:
    gguf = options.gguf or gguf_of(options.weights, options.folder / "weights")
    python = environment.python_of(
        options.folder.absolute() / "model-server", _HERE / "requirements.txt"
    )
    weights = eight_bits_of(gguf, options.folder / "weights", python)
    return [python, _HERE / "model_process.py", weights, options.port, options.threads]


if __name__ == "__main__":
    main()
