"""Which tests carry the mark, selected or not: noted at collection, so that parts are known."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_mipro.plugin.collecting.cases import nodeid_of_test
from pytest_mipro.plugin.collecting.marks import MetricMark

_STUDIES = pytest.StashKey[dict[str, str | None]]()


def note_marked(item: pytest.Item, mark: MetricMark) -> None:
    """Note the test of an item, and the study that its mark names."""
    item.config.stash.setdefault(_STUDIES, {})[nodeid_of_test(item)] = mark.study


def marked_tests(config: pytest.Config) -> Mapping[str, str | None]:
    """Return the named study (None: that of its file) of each marked test collected, by node id."""
    return config.stash.get(_STUDIES, {})
