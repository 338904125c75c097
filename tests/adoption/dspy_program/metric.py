import pytest
from pipeline import desk

from pytest_mipro import cases


@pytest.mark.mipro(threshold=0.1)
@cases("tickets.jsonl")
def test_desk(ticket, team):
    assert desk(ticket=ticket).team == team
