"""One mistake, many cases: which case showed an error first, so that it is told in full once."""

from __future__ import annotations

import pytest

_HEAD_CHARS = 100
_FIRST = pytest.StashKey[dict[str, str]]()


def cause_of(case_id: str, error: str) -> str:
    """Return the error's text without what names the case: equal texts are one cause."""
    return error.replace(case_id, "…")


def first_with(config: pytest.Config, nodeid: str, case_id: str, error: str) -> str:
    """Return the node id of the first case that showed this error, which may be this one.

    A worker of pytest-xdist knows its own cases, the controller those of all.
    """
    known = config.stash.setdefault(_FIRST, {})
    return known.setdefault(cause_of(case_id, error), nodeid)


def said_already(error: str, first: str) -> str:
    """Return the short line for a later case: the error's beginning, and where all of it stands."""
    head = error if len(error) <= _HEAD_CHARS else f"{error[:_HEAD_CHARS]}…"
    return f"{head} (the same error as {first})"
