"""Write files atomically, lock them, and make private folders."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pytest_mipro.errors import CacheError

_BINARY = getattr(os, "O_BINARY", 0)
HELD = (errno.EAGAIN, errno.EACCES)
"""The errors of a lock that another process holds; by others there are none on a file system."""


def atomic_write(path: Path, text: str, drafts: Path | None = None) -> None:
    r"""Write the text as UTF-8 with `\n` line ends, wholly or not at all.

    An existing file keeps its mode; the target of a link is replaced. Missing folders are made.
    What a killed process leaves is in the folder `drafts` if it exists on the same file system,
    else beside the file. Raises OSError, and UnicodeEncodeError for half a surrogate pair.
    """
    content = text.encode("utf-8")
    path = Path(os.path.realpath(path))  # `Path.resolve` raises no OSError for a circle of links
    mode = None
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
    path.parent.mkdir(parents=True, exist_ok=True)
    if drafts is not None and drafts.is_dir():
        try:
            return _write_draft(drafts, path, content, mode)
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.EACCES, errno.EROFS, errno.EPERM}:
                raise
    return _write_draft(path.parent, path, content, mode)


def _write_draft(folder: Path, path: Path, content: bytes, mode: int | None) -> None:
    draft = folder / f".{path.name[:60]}.{secrets.token_hex(6)}.tmp"
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


def is_regular(path: Path) -> bool:
    """Return whether there is such a file; a path from outside may be one that none can have."""
    return os.path.isfile(path)  # noqa: PTH113 - that raises for a name too long


def read_text(path: Path, errors: str = "strict") -> str:
    """Return a UTF-8 file's text; raises OSError, also for a pipe or device: it may never end."""
    with open(path, encoding="utf-8", errors=errors, opener=_open_regular) as file:
        return file.read()


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; raises OSError, also for a pipe or device: it may never end."""
    with open(path, "rb", opener=_open_regular) as file:
        return file.read()


def read_shipped(path: Path) -> bytes:
    """Return a file's bytes, also out of a zip archive as Python imports from; raises OSError."""
    try:
        return read_bytes(path)
    except NotADirectoryError:
        content = packed(path)
        if content is None:
            raise
        return content


def packed(path: Path) -> bytes | None:
    """Return the bytes of a file within a zip archive; None for any other path.

    Raises OSError for a file that is damaged there.
    """
    archive = next((parent for parent in path.parents if parent.is_file()), None)
    if archive is None:
        return None
    import zipfile  # noqa: PLC0415 - takes long, and few need it
    import zlib  # noqa: PLC0415

    if not zipfile.is_zipfile(archive):
        return None
    try:
        with zipfile.ZipFile(archive) as files:  # as it is now: zipimport knows what it was
            return files.read(path.relative_to(archive).as_posix())
    except KeyError:
        return None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise OSError(errno.EIO, f"the archive {archive.name} is damaged", str(path)) from None


def _open_regular(path: str, flags: int) -> int:
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(code, os.strerror(code) if code == errno.EISDIR else "not a regular file", path)


@contextmanager
def file_lock(path: Path, seconds: float) -> Iterator[None]:
    """Hold the file's lock, for one process at a time; where there are no such locks, nothing.

    Raises TimeoutError if another process holds it for longer, and OSError where the file can't be
    made. Neither a link nor a pipe in its place is followed or waited for.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        yield
        return
    with open_lock(path) as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in HELD:
                    break
                if time.monotonic() > deadline:
                    text = f"another process has held {path.name} for {seconds:g} s; end it"
                    raise TimeoutError(text) from None
                time.sleep(0.01)
        yield


def open_lock(path: Path) -> IO[bytes]:
    """Open a lock file, made if it is not there; raises OSError for a link in its place."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.fdopen(os.open(path, flags, 0o600), "rb", buffering=0)


def ensure_private_folder(path: Path) -> None:
    """Make a folder that only its owner can read and that git ignores; missing parents likewise.

    Raises CacheError where it can't be made. Existing parents stay as they are.
    """
    try:
        missing = [folder for folder in reversed(path.parents) if not folder.is_dir()]
        for folder in (*missing, path):
            with suppress(FileExistsError):  # another process was faster
                folder.mkdir(mode=0o700)
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)
            _have_git_ignore(folder)
    except OSError as error:
        raise CacheError(
            f"{path}: the folder can't be made private: {error.strerror or error}; "
            f"choose another place, or correct its permissions"
        ) from error


def _have_git_ignore(folder: Path) -> None:
    """Write the folder's `.gitignore`, also in place of an empty one: a full disk leaves that."""
    path = folder / ".gitignore"
    with suppress(FileNotFoundError):
        found = path.lstat()
        if found.st_size or not stat.S_ISREG(found.st_mode):
            return
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | _BINARY
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        file.write(b"*\n")
