"""pytest-asyncio: coroutines in its auto and its strict mode."""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_asyncio")

LATER = '''

@lm_module
async def parity_later(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""
'''


@pytest.mark.parametrize(
    ("kind", "decorators"),
    [("auto", ""), ("strict", "@pytest.mark.asyncio"), ("strict", "")],
)
def test_coroutines_are_measured(company, mode, kind, decorators):
    company.write(
        ini=f"asyncio_mode = {kind}\n",
        pipeline=LATER,
        prefix="async ",
        decorators=decorators,
        body="from pipeline import parity_later",
        call="await parity_later",
    )
    result = company.run(*mode, "-W", "error")
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(mode)
    company.left_only_cases()
