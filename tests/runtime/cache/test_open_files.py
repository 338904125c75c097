"""The reply cache where the process may open no more files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_mipro.errors import CacheError
from pytest_mipro.runtime.cache.store import Store

resource = pytest.importorskip("resource")


@contextmanager
def _no_more_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = os.open(os.devnull, os.O_RDONLY)  # the lowest number that is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        os.close(highest)


def test_the_limit_of_open_files_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: None).result() is None  # the thread is there
        with (
            _no_more_files(),
            pytest.raises(CacheError, match=r"enough files may be open \(`ulimit -n`\)"),
        ):
            pool.submit(store.get, "key").result()
    store.close()
