"""The desk of tests of recorded replies."""

from __future__ import annotations

import pytest
from recorded_desk import CLIENT, SOURCE, TEXTS


@pytest.fixture
def recordable(pytester, desk):
    """Write the desk with a client that counts its calls for all workers."""

    def write(source: str = SOURCE.format(texts=TEXTS), reply: str = "text", **files: str) -> None:
        desk(source, **files)
        pytester.makeconftest(CLIENT.replace("{reply}", reply))

    return write
