"""Refuse at collection items that can't be measured, cases that don't fit, and broken locks.

A collection error, unlike a usage error, reaches the user from an xdist worker too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.errors import UsageError
from pytest_mipro.plugin.collecting.cases import check_items, nodeid_of_test, note_marked
from pytest_mipro.plugin.collecting.marks import MetricMark, metric_mark
from pytest_mipro.plugin.collecting.plan import refusal
from pytest_mipro.plugin.collecting.prompt_check import check_prompt_files
from pytest_mipro.plugin.collecting.row_marks import refuse_unfit_rows
from pytest_mipro.plugin.collecting.study_home import home_of
from pytest_mipro.plugin.config.cache_folder import ini_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.lock.lock_file import SUFFIX, read_lock
from pytest_mipro.plugin.lock.prompt_targets import check_study_file
from pytest_mipro.plugin.replies.client_stack import recorded_replies, replies_path
from pytest_mipro.runtime.signature.signature import Signature

_CHECKED = pytest.StashKey[set["Path"]]()
_PROMPTS_READ = pytest.StashKey[set["Signature"]]()


def refused(config: pytest.Config, items: Sequence[pytest.Item]) -> str | None:
    """Return why the items of one collector can't be run, in one line; None where they can.

    `items` carry the mark `mipro`, or take cases from a file.
    """
    by_test: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        by_test[nodeid_of_test(item)].append(item)
    try:
        for tested in by_test.values():
            marked = [(it, mark) for it in tested if (mark := metric_mark(it)) is not None]
            if marked:
                item, mark = marked[0]
                if problem := refusal(item):
                    return problem
                refuse_unfit_rows(marked)
                _check_lock(item, mark)
                note_marked(item, mark.study)
            check_items(config, tested)
        check_prompt_files(_names_of_file(items[0]), config.stash.setdefault(_PROMPTS_READ, set()))
    except (UsageError, pytest.Collector.CollectError) as error:
        return str(error)
    return None


def _names_of_file(item: pytest.Item) -> Mapping[str, Any]:
    file = item.getparent(pytest.Module)
    return vars(file.obj) if file is not None else {}


def _check_lock(item: pytest.Item, mark: MetricMark) -> None:
    """Refuse a broken lock that may be the test's: a named study's may lie in another folder."""
    home = home_of(item.config, mark.study, [item.path]) if mark.study else None
    path = (home or item.path.parent) / f"{mark.study or item.path.stem}{SUFFIX}"
    checked = item.config.stash.setdefault(_CHECKED, set())
    if path not in checked:
        for file in (path, replies_path(path)):
            check_study_file(file, ini_folder(item.config))
        read_lock(path)
        if options_of(item.config).replies != "fresh":
            recorded_replies(item.config, path)
        checked.add(path)
