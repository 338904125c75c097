import pytest
from pipeline import triage

from pytest_mipro import cases


@pytest.mark.mipro(threshold=0.2)
@cases("tickets.jsonl")
def test_triage(ticket, team):
    assert triage(ticket) == team
