"""Serve a GGUF file on loopback until the process ends; runs in the server's own environment.

python model_process.py GGUF PORT THREADS
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

from xllamacpp import CommonParams, Server

SLOTS = 4
SLOT_TOKENS = 8192
"""Calls that are answered at once, and what a prompt and its reply may take together."""


def main() -> None:
    """Serve."""
    path, port, threads = sys.argv[1:]
    params = CommonParams()
    params.model.path = path
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * SLOT_TOKENS
    params.cpuparams.n_threads = int(threads)
    params.cpuparams_batch.n_threads = int(threads)
    server = Server(params)
    print(f"{server.listening_address}/v1", flush=True)
    with suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    main()
