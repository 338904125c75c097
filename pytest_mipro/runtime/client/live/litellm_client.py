"""Call models through litellm: keys checked first, failures retried, rates limited per model."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any

from pytest_mipro.errors import ContextWindowError, InfrastructureError, RefusalError
from pytest_mipro.runtime.client.clock import elapsed
from pytest_mipro.runtime.client.contract import Reply, Request, known_cost, known_usage
from pytest_mipro.runtime.client.forks import ProcessLock
from pytest_mipro.runtime.client.live.attempts import Attempts, LiveSettings
from pytest_mipro.runtime.client.live.capabilities import check_attached
from pytest_mipro.runtime.client.live.endpoints import (
    access_to,
    api_base,
    drops_temperature,
    endpoint_digest,
)
from pytest_mipro.runtime.client.live.live_errors import (
    BrokenReplyError,
    dates_replaced,
    failure_of,
    refuse_broken,
    thread_left_alone,
)
from pytest_mipro.runtime.client.live.quiet import quietly
from pytest_mipro.runtime.client.live.redirects import redirects_refused, watch_redirects
from pytest_mipro.runtime.client.live.retry import Failure, report_lost_attempt
from pytest_mipro.runtime.client.prices import MILLION, ModelPrice, output_limit
from pytest_mipro.runtime.text.credentials import url_secrets
from pytest_mipro.runtime.text.redaction import one_line

# Tokens of a reply where neither module nor settings limit it; hidden reasoning counts, too.
_ROOM = 4_000
_REASONING_ROOM = 16_000


class LiteLLMClient:
    """Serves every model that litellm knows. The first call imports litellm, nothing before it."""

    def __init__(self, settings: LiveSettings | None = None) -> None:
        self._settings = settings or LiveSettings()
        self._secrets = tuple(url_secrets(self._settings.api_base))
        self._attempts = Attempts(self._settings)
        self._arguments: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._schemas: dict[str, bool] = {}
        self._rooms: dict[str, int | None] = {}
        self._unpriced: set[str] = set()

    async def complete(self, request: Request) -> Reply:
        """Return the model's reply. `latency` is that of the attempt that succeeded."""
        litellm = await _litellm()
        check_attached(litellm, request, self._settings.api_base)
        return await self._answered(litellm, request, self._call(litellm, request))

    def price(self, model: str) -> ModelPrice | None:
        """Return the price in litellm's table, None where it has none; imports litellm."""
        try:
            info = _load().get_model_info(model)
            prompt, completion = info["input_cost_per_token"], info["output_cost_per_token"]
        except Exception:  # noqa: BLE001 - litellm raises a bare Exception for an unknown model
            return None
        if prompt is None or completion is None:
            return None
        return ModelPrice(MILLION * float(prompt), MILLION * float(completion))

    def samples_at_0(self, model: str) -> bool:
        """Return whether litellm leaves out `temperature=0`, as for o-series and gpt-5."""
        return drops_temperature(_load(), model, self._settings.api_base)

    def endpoint(self, model: str) -> str:
        """Return 12 hex digits for the base URL in use, empty for the provider's own."""
        return endpoint_digest(api_base(model, self._settings.api_base))

    async def aclose(self) -> None:
        """Close litellm's connections of this process."""
        if _loaded is None:
            return
        await _loaded.close_litellm_async_clients()
        kept = _loaded.in_memory_llm_clients_cache
        for key, client in list(kept.cache_dict.items()):  # closed ones can't be used again
            if inspect.iscoroutinefunction(getattr(client, "close", None)):
                with suppress(Exception):  # of another loop; some releases leave OpenAI's open
                    await client.close()
                kept.delete_cache(key)  # the others may be those of a pipeline's own calls

    async def _answered(
        self, litellm: ModuleType, request: Request, arguments: dict[str, Any]
    ) -> Reply:
        given_way = False

        def gives_way(failure: Failure) -> bool:
            """Drop an output limit of our own: some servers count it as part of the window."""
            nonlocal given_way
            own = output_limit(request.parameters) is None and "max_tokens" in arguments
            if own and isinstance(failure.error, ContextWindowError):
                del arguments["max_tokens"]
                given_way = True
                return True
            return False

        attempt = partial(self._attempt, litellm, request, arguments)
        reply = await self._attempts.reply(request, attempt, gives_way)
        if given_way:
            self._rooms[request.model] = None
        return reply

    async def _attempt(
        self, litellm: ModuleType, request: Request, arguments: dict[str, Any]
    ) -> Reply | Failure:
        started = elapsed()
        try:
            async with asyncio.timeout(self._settings.timeout):
                with redirects_refused(), quietly(request.model):
                    response = await litellm.acompletion(**arguments)
            return self._reply(litellm, request, response, elapsed() - started)
        except RefusalError:
            report_lost_attempt(again=False)  # it was answered
            raise
        except Exception as error:  # noqa: BLE001 - litellm raises whatever a provider's SDK does
            return failure_of(error, request.model, (*self._secrets, *request.secrets))

    def _call(self, litellm: ModuleType, request: Request) -> dict[str, Any]:
        # By the base as well, as the cache's keys are: its variable may change in the process.
        place = (request.model, api_base(request.model, self._settings.api_base))
        if place not in self._arguments:
            access = access_to(litellm, request.model, self._settings.api_base)
            self._arguments[place] = access
        arguments: dict[str, Any] = {
            **request.parameters,
            **request.private,
            **self._arguments[place],
            "model": request.model,
            "messages": [message.sent(_sendable) for message in request.messages],
            "timeout": self._settings.timeout,
            "max_retries": 0,
            "drop_params": True,
        }
        room = self._room(litellm, request.model)
        if room is not None and output_limit(request.parameters) is None:
            arguments["max_tokens"] = room
        if request.response_schema is None:
            return arguments
        if request.model not in self._schemas:
            takes = litellm.supports_response_schema(model=request.model)
            self._schemas[request.model] = bool(takes)
        if self._schemas[request.model]:
            schema = {"name": "reply", "schema": dict(request.response_schema)}
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        return arguments

    def _room(self, litellm: ModuleType, model: str) -> int | None:
        """Return the output limit of a call that sets none, so that a rambling model ends soon."""
        if model not in self._rooms:
            room = _REASONING_ROOM if litellm.supports_reasoning(model=model) else _ROOM
            try:
                known = litellm.get_model_info(model).get("max_output_tokens")
            except Exception:  # noqa: BLE001 - litellm raises a bare Exception for an unknown model
                known = None
            self._rooms[model] = min(room, known or room)
        return self._rooms[model]

    def _reply(self, litellm: ModuleType, request: Request, response: Any, latency: float) -> Reply:
        choices = getattr(response, "choices", None)
        if not choices:
            raise BrokenReplyError("the answer holds no reply")
        message = choices[0].message
        finish_reason = str(choices[0].finish_reason or "stop")
        refusal = getattr(message, "refusal", None)
        if refusal or (finish_reason == "content_filter" and not message.content):
            secrets = (*self._secrets, *request.secrets)
            reason = f": {one_line(refusal, secrets=secrets)}" if refusal else ""
            raise RefusalError(f"model {request.model!r} or its filter refused to reply{reason}")
        refuse_broken(choices[0])
        usage = getattr(response, "usage", None)
        return Reply(
            text=message.content or "",
            usage=known_usage(
                getattr(usage, "prompt_tokens", 0), getattr(usage, "completion_tokens", 0)
            ),
            cost=self._cost(litellm, request.model, response),
            latency=latency,
            finish_reason=finish_reason,
            model=str(getattr(response, "model", None) or request.model),
        )

    def _cost(self, litellm: ModuleType, model: str, response: Any) -> float | None:
        known = getattr(response, "_hidden_params", {}).get("response_cost")
        if known is None and model not in self._unpriced:
            try:
                known = litellm.completion_cost(completion_response=response, model=model)
            except Exception:  # noqa: BLE001 - litellm raises many types for "no price known"
                self._unpriced.add(model)  # searching for it takes a seventh of a call's CPU time
        return known_cost(known)


def _sendable(text: str) -> str:
    # Half a surrogate pair has no UTF-8 form: it goes out as the replacement character.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_loaded: ModuleType | None = None
_loading = ProcessLock()


async def _litellm() -> ModuleType:
    if _loaded is not None:
        return _loaded
    try:
        return await asyncio.to_thread(_load)  # it takes seconds, and the loop has other work
    except RuntimeError as error:
        known = thread_left_alone(error) or dates_replaced(error)
        if known is None:
            raise
        raise known from error


def _load() -> ModuleType:
    global _loaded  # noqa: PLW0603 - one import a process
    with _loading:
        if _loaded is None:
            # Only the value "True" keeps litellm from fetching a price list at import.
            if os.environ.get("LITELLM_LOCAL_MODEL_COST_MAP", "").lower() != "false":
                os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
            try:
                with quietly():
                    import litellm  # noqa: PLC0415 - 2.5 s and 180 MiB that most runs do not need
            except (ImportError, AttributeError, TypeError) as error:  # of what it imports, too
                raise InfrastructureError(
                    "litellm, which makes the LM calls, can't be imported "
                    f"({type(error).__name__}: {one_line(error)}); install it anew, with releases "
                    "of what it needs that fit it (`pip check`)"
                ) from error

            litellm.suppress_debug_info = True
            litellm.telemetry = False
            watch_redirects()
            gc.freeze()  # its million objects would make each collection, and the exit, slow
            _loaded = litellm
    return _loaded
