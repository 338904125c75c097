"""Locate the reply cache of a run; describe its size, and what a run without one gives up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_mipro.errors import CacheError
from pytest_mipro.plugin.config.options import Options, is_verbose, options_of
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.runtime.cache.folder import cache_bytes
from pytest_mipro.runtime.text.number_words import counted

if TYPE_CHECKING:
    import pytest


_LARGE = 10**9
"""From this many bytes on the size is printed without `-v`: nothing in the cache expires."""


def ini_folder(config: pytest.Config) -> Path:
    """Return the folder of pytest's ini file, else the rootdir."""
    return config.inipath.parent if config.inipath else config.rootpath


def mipro_folder(config: pytest.Config) -> Path:
    """Return the folder of what is not committed: cache, journals, reports. It may not exist."""
    return ini_folder(config) / ".mipro"


def cache_folder(config: pytest.Config) -> Path | None:
    """Return the folder of the reply cache, which may not exist; None: this run keeps no reply."""
    given: Path | Literal["off"] | None = options_of(config).cache
    if given == "off":
        return None
    return given or mipro_folder(config) / "cache"


def write_cache_line(terminal: Any, config: pytest.Config) -> None:
    """Write how large the reply cache is: with `-v`, and unasked where it is large."""
    folder = cache_folder(config)
    size = cache_bytes(folder) if folder is not None else 0
    if folder is None or not size or (not is_verbose(config) and size < _LARGE):
        return
    replies = _replies(folder) if is_verbose(config) else ""
    remedy = "; delete the folder to free the space" if size >= _LARGE else ""
    terminal.write_line(
        f"reply cache {format_path(config, folder)}: {replies}{_size(size)}{remedy}"
    )


def _replies(folder: Path) -> str:
    from pytest_mipro.runtime.cache.store import Store  # noqa: PLC0415 - diskcache: 40 ms

    try:
        store = Store(folder)
    except CacheError:
        return ""
    try:
        return f"{counted(store.count(), 'reply', 'replies')}, "
    except CacheError:
        return ""
    finally:
        store.close()


def given_up(options: Options) -> str | None:
    """Return what an optimisation gives up by its options, None: it can be stopped and resumed."""
    if options.cache == "off":
        return (
            "no reply is kept (--mipro-cache=off): a stopped study starts over, every call is "
            "paid for again, and a repeated one may end in other files"
        )
    if options.replies == "fresh":
        return (
            "replies are requested again (--mipro-replies=fresh): a stopped study starts over, "
            "and a repeated one may end in other files"
        )
    return None


def how_to_go_on(options: Options, once: str = "") -> str:
    """Return what a study that stopped has kept, and what the next command does with it.

    `once` says what must be done first.
    """
    if options.cache == "off":
        return "no reply is kept (--mipro-cache=off): the same command starts over"
    which = " without --mipro-replies=fresh" if options.replies == "fresh" else ""
    return f"replies so far are cached: {once}the same command{which} resumes from there"


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return counted(count, "byte")
