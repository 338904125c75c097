"""Sort the tickets of a support desk: the prompt in a text file, whichever model is configured."""

import os
from pathlib import Path

import litellm

MODEL = os.environ.get("DESK_MODEL", "openai/gpt-4.1-mini")
PROMPT = (Path(__file__).parent / "prompts/triage.txt").read_text(encoding="utf-8")


def triage(ticket: str, company: str = "Finch") -> str:
    """Return the team that the ticket goes to."""
    reply = litellm.completion(
        model=MODEL,
        messages=[
            {"role": "system", "content": PROMPT.format(company=company)},
            {"role": "user", "content": ticket},
        ],
        temperature=0,
        max_tokens=20,
        num_retries=2,
    )
    return reply.choices[0].message.content.strip().lower()
