"""A support desk's web service: a ticket comes in, the team and a summary for it go out."""

import asyncio
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor

import openai
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pytest_mipro import prompt_text

TRIAGE = prompt_text("prompts/triage.md")
SUMMARY = prompt_text("prompts/summary.md")
MODEL = os.environ.get("DESK_MODEL", "gpt-4.1-mini")

pool = ThreadPoolExecutor(max_workers=4)
client = openai.AsyncOpenAI()
old_client = openai.OpenAI()


async def team_for(ticket: str) -> str:
    reply = await client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": TRIAGE.format(company="Finch")},
            *TRIAGE.demos_as_messages(),
            {"role": "user", "content": ticket},
        ],
        temperature=0,
        max_tokens=20,
    )
    return reply.choices[0].message.content.strip()


def sum_up(ticket: str) -> str:
    """From the time before the service was async."""
    messages = [
        {"role": "system", "content": SUMMARY.format(company="Finch")},
        {"role": "user", "content": ticket},
    ]
    reply = old_client.chat.completions.create(
        model=MODEL, messages=messages, temperature=0, max_tokens=60
    )
    return reply.choices[0].message.content


async def receive(request: Request) -> JSONResponse:
    ticket = (await request.json())["ticket"]
    loop = asyncio.get_running_loop()
    team, summary = await asyncio.gather(
        team_for(ticket),
        loop.run_in_executor(pool, contextvars.copy_context().run, sum_up, ticket),
    )
    return JSONResponse({"team": team, "summary": summary})


app = Starlette(routes=[Route("/tickets", receive, methods=["POST"])])
