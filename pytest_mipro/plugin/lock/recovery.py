"""Finishing what an interrupted run began to write, before this run reads any prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mipro.plugin.config.cache_folder import ini_folder, mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.shown_path import shown_path
from pytest_mipro.plugin.lock.targets import work_tree
from pytest_mipro.plugin.lock.writes import roll_forward

if TYPE_CHECKING:
    from pathlib import Path


def finish_interrupted_writes(config: pytest.Config) -> None:
    """Roll the journal of an interrupted run forward, and have the header say so.

    Nothing is written under `--collect-only` and `--mipro-dry-run`. Raises ConfigurationError for a
    journal that can't be used.
    """
    if config.option.collectonly or options_of(config).dry_run:
        return
    root = ini_folder(config)
    done = roll_forward(mipro_folder(config), work_tree(root))
    lines = []
    if done.written:
        lines.append(f"mipro: finished the interrupted writing of {_shown(config, done.written)}")
    if done.edited:
        lines.append(
            f"mipro: {_shown(config, done.edited)} changed since the writing was interrupted: "
            "left as it is; `pytest --mipro-optimize` measures what is there"
        )
    if lines:
        config.pluginmanager.register(_Said(lines), "mipro-recovery")


class _Said:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    @pytest.hookimpl
    def pytest_report_collectionfinish(self) -> list[str]:
        return self._lines


def _shown(config: pytest.Config, paths: tuple[Path, ...]) -> str:
    return ", ".join(shown_path(config, path) for path in paths)
