import pytest
from pipeline import Conversation

from pytest_mipro import cases


@pytest.mark.mipro(threshold=0.2)
@cases("questions.jsonl")
def test_ask(said, ticket, team):
    chat = Conversation(said)
    assert chat.ask(ticket) == team
