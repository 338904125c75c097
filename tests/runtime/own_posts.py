"""The LM call of a pipeline's own client: one body, posted to the stub by httpx."""

from __future__ import annotations

from typing import Any

import httpx
from lm_stub import Stub

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
KEY = "sk-proj-0123456789abcdefghij"


def post(server: Stub, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"{server.url}/v1/chat/completions"
    return httpx.post(url, json={**BODY, **more}, headers=headers)


async def post_async(server: Stub, text: str = "hi") -> httpx.Response:
    body = {**BODY, "messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient() as made:
        return await made.post(f"{server.url}/v1/chat/completions", json=body)
