"""The terminal's lines on locks: what differs from them, and what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mipro.plugin.gate.drift import drift_lines
from pytest_mipro.plugin.gate.provenance import observed_studies
from pytest_mipro.plugin.gate.update_lock import UPDATE_LOCK

if TYPE_CHECKING:
    import pytest


def write_lock_summary(terminal: Any, config: pytest.Config) -> None:
    """Write the lines below the studies' blocks; nothing where all is as it was locked."""
    differing = [line for path in observed_studies(config) for line in drift_lines(config, path)]
    update = config.pluginmanager.get_plugin(UPDATE_LOCK)
    written = update.lines if update is not None else []
    if differing or written:
        terminal.write_sep("-", "mipro: lock")
    for line in differing:
        terminal.write_line(line, yellow=not line.startswith(" "))
    for line, well in written:
        terminal.write_line(line, green=well, red=not well)
