"""Write files atomically, and make private folders."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from pytest_mipro.errors import CacheError

_BINARY = getattr(os, "O_BINARY", 0)


def atomic_write(path: Path, text: str) -> None:
    r"""Write the text as UTF-8 with `\n` line ends, wholly or not at all.

    An existing file keeps its mode; the target of a link is replaced. Missing folders are made.
    Raises OSError, and UnicodeEncodeError for half a surrogate pair.
    """
    content = text.encode("utf-8")
    path = Path(os.path.realpath(path))  # `Path.resolve` raises no OSError for a circle of links
    mode = None
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name[:60]}.{secrets.token_hex(6)}.tmp")
    # 0o666 minus the umask, as for any new file; reading the umask would change it
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode or 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            draft.chmod(mode)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def ensure_private_folder(path: Path) -> None:
    """Make a folder that only its owner can read and that git ignores; missing parents likewise.

    Raises CacheError where it can't be made. Existing parents stay as they are.
    """
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.is_dir():
                with suppress(FileExistsError):  # another process was faster
                    folder.mkdir(mode=0o700)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
        with suppress(FileExistsError), (path / ".gitignore").open("x", encoding="utf-8") as file:
            file.write("*\n")
    except OSError as error:
        raise CacheError(
            f"{path}: the folder can't be made private: {error.strerror or error}; "
            f"choose another place, or correct its permissions"
        ) from error
