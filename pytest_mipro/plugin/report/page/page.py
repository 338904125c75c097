"""Write the page: skeleton, content security policy, style, script, and the values as JSON."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.config.redaction import redacted
from pytest_mipro.plugin.report.page.texts import Texts, json_size, page_json

MAX_BYTES = 1_500_000
"""The largest page: longer texts, and then the calls of cases, are left out."""
# How many cases are shown with their calls, and how many at all: fewer where there is no room.
_CASES = ((2_000, 4_000), (500, 4_000), (100, 2_000), (20, 500), (0, 100))
_STYLES = ("uPlot.min.css", "page.css")
_LIBRARY = "uPlot.iife.min.js"
_PARTS = ("elements", "charts", "candidates", "cases", "case", "gate", "summary", "page")

Contents = Callable[[Texts, int], dict[str, Any]]


def report_page(study: str, contents: Contents, redact: Callable[[str], str]) -> str:
    """Return the page of a study; `contents` gets the texts and how many cases to show in full."""
    head, foot = _around(redact(study))
    room = MAX_BYTES - len(head.encode()) - len(foot.encode())
    for detailed, listed in _CASES:
        texts = Texts(redact)
        made = contents(texts, detailed)
        cases = made["cases"]
        known = redacted(
            {
                "study": study,
                "created": datetime.now(UTC).isoformat(timespec="minutes"),
                "version": version("pytest-mipro"),
                **made,
                "cases": cases[:listed],
                "left_out": max(0, len(cases) - listed),
                "detailed": min(detailed, len(cases)),
            },
            redact,
        )
        shown = texts.within(room - json_size(known) - 100)
        if shown is not None:
            return f"{head}{page_json({**known, 'texts': shown})}{foot}"
    raise ConfigurationError(f"the page of {study} would be larger than {MAX_BYTES:,} bytes")


def _around(study: str) -> tuple[str, str]:
    """Return what stands before the values, and what follows them."""
    style, script = _asset(*_STYLES), _asset(_LIBRARY, *(f"{part}.js" for part in _PARTS))
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html.escape(study)} · pytest-mipro</title>\n<style>{style}</style>\n</head>\n"
        "<body>\n<noscript>This page needs JavaScript, which it holds: it loads nothing."
        '</noscript>\n<script type="application/json" id="data">'
    )
    return head, f"</script>\n<script>{script}</script>\n</body>\n</html>\n"


@cache
def _asset(*names: str) -> str:
    folder = files(__package__).joinpath("assets")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
