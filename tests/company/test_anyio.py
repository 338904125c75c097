"""anyio: coroutines on asyncio and on trio."""

from __future__ import annotations

import pytest

pytest.importorskip("anyio")
NO_WARNING = ("-W", "ignore::pytest.PytestConfigWarning")  # of the ini keys of pytest-asyncio

BACKEND = """

import pytest

@pytest.fixture
def anyio_backend():
    return "{backend}"
"""
LATER = '''

@lm_module
async def parity_later(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""
'''


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_coroutines_are_measured(company, mode, backend):
    pytest.importorskip(backend)
    company.write(
        conftest=BACKEND.format(backend=backend),
        pipeline=LATER,
        prefix="async ",
        decorators="@pytest.mark.anyio",
        body="import anyio; from pipeline import parity_later; await anyio.sleep(0)",
        call="await parity_later",
    )
    result = company.run(*mode, "-p", "no:asyncio", *NO_WARNING)
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(mode)
    company.left_only_cases()


def test_both_backends_are_cases_of_their_own(company):
    pytest.importorskip("trio")
    company.write(
        pipeline=LATER,
        prefix="async ",
        decorators="@pytest.mark.anyio",
        body="from pipeline import parity_later",
        call="await parity_later",
    )
    result = company.run("-p", "no:asyncio", *NO_WARNING)
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 2 * 5 + 1, "missed": 2 * 35}
