"""Sort the tickets of a support desk: a DSPy program."""

import os
from typing import Literal

import dspy

from pytest_mipro import prompt_text

MODEL = os.environ.get("DESK_MODEL", "openai/gpt-4.1-mini")
TRIAGE = prompt_text("prompts/triage.md")

dspy.configure(lm=dspy.LM(MODEL, temperature=0, cache=False))


class Triage(dspy.Signature):
    ticket: str = dspy.InputField()
    team: Literal["first-line", "second-line", "back-office"] = dspy.OutputField()


class Desk(dspy.Module):
    def __init__(self):
        super().__init__()
        self.triage = dspy.Predict(Triage)

    def forward(self, ticket: str):
        return self.triage(ticket=ticket, signature=Triage.with_instructions(str(TRIAGE)))


desk = Desk()
