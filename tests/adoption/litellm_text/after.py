"""Sort the tickets of a support desk: the prompt in a text file, whichever model is configured."""

import os

import litellm

from pytest_mipro import prompt_text

MODEL = os.environ.get("DESK_MODEL", "openai/gpt-4.1-mini")
PROMPT = prompt_text("prompts/triage.txt")


def triage(ticket: str, company: str = "Finch") -> str:
    """Return the team that the ticket goes to."""
    reply = litellm.completion(
        model=MODEL,
        messages=[
            {"role": "system", "content": PROMPT.format(company=company)},
            *PROMPT.demos_as_messages(),
            {"role": "user", "content": ticket},
        ],
        temperature=0,
        max_tokens=20,
        num_retries=2,
    )
    return reply.choices[0].message.content.strip().lower()
