"""Serves the simulated models in process, as `simulated/…`, by the client contract."""

from __future__ import annotations

import time

from pytest_mipro.errors import UnknownModelError
from pytest_mipro.runtime.client.contract import OfflineClient, Reply, Request, Usage
from pytest_mipro.runtime.client.prices import ModelPrice
from pytest_mipro.simulated.model import MODELS, SimulatedModel

PREFIX = "simulated/"


def model_named(name: str) -> SimulatedModel:
    """Return the model of this name, with or without the prefix; raises UnknownModelError."""
    bare = name.removeprefix(PREFIX)
    if bare not in MODELS:
        known = ", ".join(f"{PREFIX}{model}" for model in MODELS)
        raise UnknownModelError(f"no simulated model is named {name!r}; there are: {known}")
    return SimulatedModel(bare, MODELS[bare])


def count_tokens(text: str) -> int:
    """Return the number of tokens of a text, counted as one for every four characters."""
    return (len(text) + 3) // 4


def cut(text: str, limit: object) -> tuple[str, str]:
    """Return (text within `limit` tokens, finish reason); None or no number is no limit."""
    if not isinstance(limit, int) or isinstance(limit, bool) or count_tokens(text) <= limit:
        return text, "stop"
    return text[: 4 * limit], "length"


class SimulatedClient(OfflineClient):
    """The simulated models as an LMClient. Calls cost nothing and touch no network."""

    async def complete(self, request: Request) -> Reply:
        """Return the model's reply; raises UnknownModelError for a model that there is not."""
        model = model_named(request.model)
        began = time.perf_counter()
        text = model.reply(request.messages, request.parameters, request.sample)
        limit = request.parameters.get("max_tokens")
        text, finish = cut(text, limit)
        usage = Usage(sum(count_tokens(m.content) for m in request.messages), count_tokens(text))
        latency = time.perf_counter() - began
        return Reply(text, usage, 0.0, latency, finish_reason=finish, model=PREFIX + model.name)

    def price(self, model: str) -> ModelPrice:  # noqa: ARG002 - the contract's signature
        """Return that calls cost nothing."""
        return ModelPrice(0.0, 0.0)
