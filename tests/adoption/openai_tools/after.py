"""A colleague to ask about tickets: the openai client, a tool, and a conversation that goes on."""

import json
import os
from pathlib import Path

import openai

from pytest_mipro import prompt_text

MODEL = os.environ.get("DESK_MODEL", "gpt-4.1-mini")
TICKETS = json.loads((Path(__file__).parent / "tickets.json").read_text(encoding="utf-8"))
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "read_ticket",
            "description": "Read what the customer wrote.",
            "parameters": {
                "type": "object",
                "properties": {"number": {"type": "string", "description": "such as T-01"}},
                "required": ["number"],
            },
        },
    }
]
SYSTEM = prompt_text("prompts/colleague.md")

client = openai.OpenAI()


def read_ticket(number: str) -> str:
    return TICKETS.get(number, "There is no such ticket.")


class Conversation:
    """A chat, as it is kept between two visits; the model sees all that was said before."""

    def __init__(self, turns: list) -> None:
        self.turns = list(turns)

    def ask(self, question: str) -> str:
        self.turns.append({"role": "user", "content": question})
        while True:
            system = {"role": "system", "content": str(SYSTEM)}
            messages = [system, *SYSTEM.demos_as_messages(), *self.turns]
            reply = client.chat.completions.create(
                model=MODEL, messages=messages, tools=TOOLS, temperature=0, max_tokens=60
            )
            message = reply.choices[0].message
            self.turns.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                return message.content
            for call in message.tool_calls:
                found = read_ticket(**json.loads(call.function.arguments))
                self.turns.append({"role": "tool", "tool_call_id": call.id, "content": found})
