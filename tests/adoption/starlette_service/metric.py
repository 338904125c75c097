import httpx
import pytest
from pipeline import app

from pytest_mipro import Score, cases


@pytest.mark.mipro(threshold=0.2)
@cases("tickets.jsonl")
async def test_receive(ticket, team):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        answer = (await client.post("/tickets", json={"ticket": ticket})).json()
    feedback = f"got {answer}, wanted the team {team} and a summary of at most 80 characters"
    return Score(
        0.8 * (answer["team"] == team) + 0.2 * (len(answer["summary"]) <= 80), feedback=feedback
    )
