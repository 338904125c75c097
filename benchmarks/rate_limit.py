"""Measure how much of an unknown rate limit the client uses, in calls a second.

    python benchmarks/rate_limit.py [--per-second N] [--calls N] [--concurrency N] [--latency S]

Starts the simulated HTTP server in its own process, which answers N calls a second and refuses the
others with 429, and makes all calls at once through the live client. Prints the answered calls a
second after the server's burst of one second, how many were refused, and how many were lost.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from endpoint_busy import serving, told

from pytest_mipro.errors import MiproError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient, LiveSettings

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Used:
    """What one run saw: answered calls a second, calls refused and calls lost."""

    per_second: float
    refused: int
    lost: int


def measure(options: argparse.Namespace, concurrency: int) -> Used:
    """Make all calls at once against a new server."""
    limits = ("--requests-per-second", f"{options.per_second:g}")
    with serving("--record", "--latency", f"{options.latency}", *limits) as url:
        settings = LiveSettings(concurrency=concurrency, api_base=url)
        lost = loop.run(_all(LiteLLMClient(settings), options.calls))
        ends = sorted(left for _, left, status in told(url, "calls")["calls"] if status == 200)
        refused = told(url, "stats")["rate_limited"]
    counted = ends[int(options.per_second) :]  # the burst is not limited
    return Used((len(counted) - 1) / (counted[-1] - counted[0]), refused, lost)


async def _all(client: LiteLLMClient, count: int) -> int:
    """Make the calls and return how many of them failed."""
    asked = [
        Request("openai/simulated/small", (Message("user", f"Say {number}."),))
        for number in range(count)
    ]
    done = await asyncio.gather(*map(client.complete, asked), return_exceptions=True)
    await client.aclose()
    return sum(isinstance(one, MiproError) for one in done)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of a command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--per-second", type=float, default=50)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--concurrency", type=int, action="append", help="16 and 64 by default")
    parser.add_argument("--latency", type=float, default=0.1)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    options = parsed(arguments)
    for concurrency in options.concurrency or (16, 64):
        used = measure(options, concurrency)
        print(
            f"{concurrency} at once: {used.per_second:.1f} answered a second of "
            f"{options.per_second:g} allowed ({used.per_second / options.per_second:.0%}); "
            f"{options.calls} calls, {used.refused} refused on the way, {used.lost} lost",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
