"""Python environments, made at their first use: what they hold is no dependency of ours."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PEERS = Path(__file__).with_name("requirements.txt")
_MADE = "requirements.txt"


def python_of(folder: Path, requirements: Path = PEERS) -> Path:
    """Return the environment's interpreter; make the environment if it is missing or outdated.

    Raises RuntimeError if the packages can't be installed.
    """
    python = folder / "bin" / "python"
    wanted = requirements.read_text(encoding="utf-8")
    made = folder / _MADE  # written last: what was interrupted is made again
    if made.is_file() and made.read_text(encoding="utf-8") == wanted:
        return python
    print(
        f"installing {requirements.parent.name}/{requirements.name} into {folder} (once)",
        file=sys.stderr,
        flush=True,
    )
    venv.create(folder, with_pip=True, clear=True, symlinks=True)
    command = [str(python), "-m", "pip", "install", "-q", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{requirements} can't be installed: {done.stderr.strip()}")
    made.write_text(wanted, encoding="utf-8")
    return python
