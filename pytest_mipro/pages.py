"""Where the pages of the documentation are, for messages: a wheel does not hold them.

Every pytest run imports this file.
"""

from __future__ import annotations

DOCS = "https://github.com/pytest-mipro/pytest-mipro/tree/main/docs"
"""The folder that texts of `--help`, which name it once, mean by `docs/`."""


def page(name: str) -> str:
    """Return the address of a page, such as `own-client.md#threads`."""
    return f"{DOCS}/{name}"
