"""Sort the tickets of a support desk: a DSPy program."""

import os
from typing import Literal

import dspy

MODEL = os.environ.get("DESK_MODEL", "openai/gpt-4.1-mini")

dspy.configure(lm=dspy.LM(MODEL, temperature=0))


class Triage(dspy.Signature):
    """You are the front office of Finch, which sells tills, rotas and stock keeping to shops.

    Say which team takes the ticket. Reply with one of: first-line, second-line, back-office
    """

    ticket: str = dspy.InputField()
    team: Literal["first-line", "second-line", "back-office"] = dspy.OutputField()


class Desk(dspy.Module):
    def __init__(self):
        super().__init__()
        self.triage = dspy.Predict(Triage)

    def forward(self, ticket: str):
        return self.triage(ticket=ticket)


desk = Desk()
