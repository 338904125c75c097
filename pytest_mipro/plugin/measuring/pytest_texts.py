"""What pytest's own reports say of a test that was skipped or failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.runtime.text.redaction import hide_in_data

if TYPE_CHECKING:
    import pytest


def skip_reason(report: pytest.TestReport) -> str:
    """Return why a test was skipped, as its report has it."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return hide_in_data(text.removeprefix("Skipped: ")) or "skipped"


def crash_text(report: pytest.TestReport) -> str:
    """Return what a failed report says first, in one line of at most 300 characters."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    return hide_in_data(" ".join(text.split()))[:300]
