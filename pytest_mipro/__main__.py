"""`python -m pytest_mipro`: the command line."""

from __future__ import annotations

import io
import os
import sys

from pytest_mipro.cli.main import main

if __name__ == "__main__":
    # Python has no stream where one is closed, as by `… >&-`: what is said goes nowhere.
    sys.stdout, sys.stderr = sys.stdout or io.StringIO(), sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):  # a terminal of another encoding shows escapes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # as of `… | head`; Python would complain when it flushes at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
