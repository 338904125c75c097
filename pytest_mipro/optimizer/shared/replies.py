"""Replies to proposals, kept on the board: who takes the lead proposes the same as who led before.

The replies of cases are not kept there, only what came of them: each process has its own cache.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pytest_mipro.runtime.client.contract import Reply, Usage
from pytest_mipro.runtime.client.wrappers import ClientWrapper

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pytest_mipro.optimizer.shared.board import Board
    from pytest_mipro.runtime.client.contract import LMClient, Request


class KeptReplies(ClientWrapper):
    """A client whose replies are kept on the board, and found there."""

    def __init__(self, inner: LMClient, board: Board) -> None:
        super().__init__(inner)
        self._board = board
        self._known = {
            entry.key: _reply(entry.fact("reply"))
            for entry in board.done()
            if entry.kind == "reply"
        }

    async def complete(self, request: Request) -> Reply:
        """Return the reply that was kept, else the inner client's."""
        kept = self.lookup(request)
        if kept is not None:
            return kept
        reply = await self._inner.complete(request)
        await asyncio.to_thread(
            self._board.put, "reply", request.digest(), state="done", reply=asdict(reply)
        )
        return reply

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply that was kept, without waiting."""
        return self._known.get(request.digest())


def _reply(data: Mapping[str, Any]) -> Reply:
    return replace(Reply(**{**data, "usage": Usage(**data["usage"])}), cached=True)
