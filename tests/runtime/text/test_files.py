"""Atomic writes: the old file or the new one, its mode and links kept, nothing left behind."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_mipro.runtime.text.files import atomic_write, file_lock, read_bytes, read_text


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_it_writes_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.yaml"
    atomic_write(path, "ä\nb\r\nc")
    assert path.read_bytes() == b"\xc3\xa4\nb\r\nc"
    assert names(path.parent) == ["a.yaml"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444, 0o666])
def test_an_existing_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")
    path.chmod(mode)
    atomic_write(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", mode)


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.umask(0o027)\n"
        "from pathlib import Path\n"
        "from pytest_mipro.runtime.text.files import atomic_write\n"
        "atomic_write(Path(sys.argv[1]), 'x')\n"
        "assert os.umask(0) == 0o027\n"
    )
    path = tmp_path / "a.yaml"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link, dangling = (tmp_path / name for name in ("real/a", "link", "dangling"))
    target.write_text("old")
    link.symlink_to(Path("real") / "a")
    dangling.symlink_to(Path("real") / "b")
    atomic_write(link, "new")
    atomic_write(dangling, "first")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert target.read_text() == "new"
    assert (tmp_path / "real" / "b").read_text() == "first"
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    with pytest.raises(OSError, match="symbolic links"):
        atomic_write(circle, "x")


def test_a_full_disk_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from pytest_mipro.runtime.text.files import atomic_write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    atomic_write(Path(sys.argv[1]), 'x' * 100_000)\n"
        "except OSError as error:\n    print(error.strerror)\n"
    )
    command = [sys.executable, "-B", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.yaml"]


def test_a_failing_replace_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "a", "x")
    assert names(tmp_path) == []


def test_a_text_without_utf8_form_touches_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        atomic_write(tmp_path / "folder" / "a", "\ud800")
    assert names(tmp_path) == []


def test_long_names_and_many_writers(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    texts = [str(i) * 10_000 for i in range(10)]
    threads = [threading.Thread(target=atomic_write, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert names(tmp_path) == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices are POSIX's")
@pytest.mark.parametrize("read", [read_text, read_bytes])
def test_what_may_never_end_is_not_read(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="not a regular file"):
            read(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"one\r\ntwo")
    assert read(tmp_path / "file") in ("one\ntwo", b"one\r\ntwo")


@pytest.mark.skipif(os.name == "nt", reason="there are no such locks on Windows")
def test_a_file_system_without_locks_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl  # noqa: PLC0415 - not on Windows

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    held, second = (file_lock(tmp_path / "a.lock", 0) for _ in range(2))
    with held, pytest.raises(TimeoutError, match="another process"), second:
        pass
    monkeypatch.setattr(fcntl, "flock", refuse)
    with file_lock(tmp_path / "b.lock", 0), file_lock(tmp_path / "b.lock", 0):
        pass
