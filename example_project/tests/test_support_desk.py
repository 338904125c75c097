"""How good the support desk is: measured on real tickets, gated in CI, optimised on demand."""

import pytest
from support_desk.pipeline import answer, route

from pytest_mipro import Score, cases


@pytest.mark.mipro(threshold=0.5)
@cases("tickets.jsonl")
def test_queue(ticket, product, queue):
    chosen = route(ticket, product)
    assert chosen == queue, f"chose {chosen}, but this ticket belongs to {queue}"


@pytest.mark.mipro(threshold=0.35)
@cases("tickets.jsonl")
def test_reply(ticket, product, must_mention):
    reply = answer(ticket, product)
    missing = [fact for fact in must_mention if fact.lower() not in reply.lower()]
    feedback = f"does not mention {missing}" if missing else ""
    return Score(1 - len(missing) / len(must_mention), feedback=feedback)
