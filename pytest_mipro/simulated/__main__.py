"""`python -m pytest_mipro.simulated`: serves the simulated models on loopback until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import cast

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.simulated.serving.faults import KINDS, Fault, FaultPlan, Latency
from pytest_mipro.simulated.serving.server import ServerOptions, SimulatedServer


def parse(arguments: Sequence[str] | None = None) -> ServerOptions:
    """Return the options of a command line; exits with a usage message where it is wrong."""
    parser = argparse.ArgumentParser("python -m pytest_mipro.simulated", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    add("--latency", type=float, default=0.0, help="median seconds an answer takes")
    add("--latency-spread", type=float, default=0.0, help="log-normal spread; 0 is fixed")
    add("--fault", action="append", default=[], metavar="KIND=RATE", help=f"of {', '.join(KINDS)}")
    add("--fault-seed", type=int, default=0, help="another seed fails other calls")
    add("--fault-most", type=int, default=2, help="failures in a row of one request, at most")
    add("--retry-after", type=float, default=0.0, help="seconds that a 429 fault asks to wait")
    add("--requests-per-second", type=float, default=0.0, help="beyond it: 429; 0 is no limit")
    add("--api-key", default="", help="required as bearer token; 401 otherwise")
    add("--vary-repeats", action="store_true", help="equal requests are further samples")
    add("--record", action="store_true", help="tell of each call at GET /calls")
    given = parser.parse_args(arguments)
    try:
        rates = dict(_rate(text) for text in given.fault)
        faults = FaultPlan(rates, given.fault_seed, given.fault_most)
    except (ConfigurationError, ValueError) as wrong:
        parser.error(str(wrong))
    return ServerOptions(
        port=given.port,
        latency=Latency(given.latency, given.latency_spread, given.fault_seed),
        faults=faults,
        retry_after=given.retry_after,
        requests_per_second=given.requests_per_second,
        api_key=given.api_key,
        vary_repeats=given.vary_repeats,
        record=given.record,
    )


def _rate(text: str) -> tuple[Fault, float]:
    kind, _, rate = text.partition("=")
    try:
        return cast("Fault", kind), float(rate)
    except ValueError:
        raise ValueError(f"--fault takes KIND=RATE, such as 429=0.05, not {text!r}") from None


async def run(options: ServerOptions) -> None:
    """Serve until cancelled; the base URL is the first line of standard output."""
    server = SimulatedServer(options)
    await server.start()
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    try:
        await asyncio.Event().wait()
    finally:
        await server.close()


def main() -> int:
    """Run the command; returns its exit code."""
    try:
        asyncio.run(run(parse()))
    except KeyboardInterrupt:
        return 0
    except ConfigurationError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
