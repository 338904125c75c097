"""The endpoint of a run: a fresh simulated server, and what it counted.

Standard library only: the environments of all optimisers that are compared import it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "openai/simulated/small"
CONCURRENCY = 16
"""Calls in flight at once, the same for everybody."""


@dataclass(frozen=True)
class Counted:
    """Calls that were answered, and the tokens read and written by them.

    `saved` are seconds that recorded replies saved, where a run that broke off goes on.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    saved: float = 0.0

    def __sub__(self, earlier: Counted) -> Counted:
        return Counted(
            self.calls - earlier.calls,
            self.prompt_tokens - earlier.prompt_tokens,
            self.completion_tokens - earlier.completion_tokens,
            self.saved - earlier.saved,
        )


@contextmanager
def serving() -> Iterator[str]:
    """Run a server in its own process and return its base URL.

    Equal requests at a temperature above 0 are further samples, as at a real endpoint: no client
    needs a parameter of its own to get another sample.
    """
    command = [sys.executable, "-m", "pytest_mipro.simulated", "--vary-repeats"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or not (url := process.stdout.readline().strip()):
                raise RuntimeError("the simulated server did not start")
            yield url
        finally:
            process.terminate()


def counted(url: str) -> Counted:
    """Return what the server counted since it started; retries and corrections are calls too."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url.removesuffix('/v1')}/stats", timeout=60) as answer:
        told = json.load(answer)
    return Counted(
        told["answered"],
        told["prompt_tokens"],
        told["completion_tokens"],
        told.get("seconds_saved", 0.0),
    )
