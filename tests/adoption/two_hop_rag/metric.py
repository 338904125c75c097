import pytest
from pipeline import answer, judge

from pytest_mipro import Score, cases


@pytest.mark.mipro(threshold=0.1, pass_score=0.8)
@cases("questions.jsonl")
def test_answer(question, team):
    said = answer(question)
    score = 0.8 * (said == team) + 0.2 * judge(question, said)
    return Score(score, feedback=f"got {said!r}, wanted {team!r}")
