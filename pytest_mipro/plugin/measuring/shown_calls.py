"""Show a case's calls in full (`--mipro-show`): what was sent, what was said, and what before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pytest_mipro.plugin.config.redaction import redacted
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.own_calls.http_call import OwnRequest, answer_of_text
from pytest_mipro.runtime.replies.recorded import RecordedReply
from pytest_mipro.runtime.text.number_words import counted

Block = tuple[str, str]
"""A title, and the text under it."""


@dataclass(frozen=True)
class ShownCall:
    """One call of a module or of a `step` in a case, without credentials.

    `messages` are pairs of role and content as they were sent; after a corrective retry they hold
    the first reply and its correction. `parameters` and `output` are JSON texts, `output` is ""
    where there is an `error`. `reply` is the last one as it came, None without one. Tokens, `cost`
    (US dollars, None: unknown) and `seconds` (0: unknown) are sums over the `requests`, and
    `cached` tells that no endpoint was asked. `before` is the recorded reply of `recorded`, a day.
    Of a step, `parameters` are its inputs, and there is neither model, message nor reply.
    """

    module: str
    model: str
    sample: int
    messages: tuple[tuple[str, ...], ...]
    parameters: str
    reply: str | None
    output: str
    error: str
    requests: int
    cached: bool
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    seconds: float
    before: str | None = None
    recorded: str | None = None
    step: bool = False


def shown_call(
    call: ModuleCall, sample: int, before: RecordedReply | None, redact: Callable[[str], str]
) -> ShownCall:
    """Return a call whose trace keeps what was sent."""
    sent = call.sent or Request(call.model, ())
    received = None if call.received is None else _as_it_came(sent, call.received.text)
    return ShownCall(
        module=call.signature.label,
        model=call.model,
        sample=sample,
        messages=tuple((each.role, redact(each.content)) for each in sent.messages),
        parameters=_json(redacted(dict(sent.parameters), redact)),
        reply=None if received is None else redact(received),
        output="" if call.error else _json(redacted(call.output, redact)),
        error=redact(call.error),
        requests=call.requests,
        cached=call.cached,
        prompt_tokens=call.usage.prompt_tokens,
        completion_tokens=call.usage.completion_tokens,
        cost=call.cost,
        seconds=call.latency,
        before=None if before is None else redact(_as_it_came(sent, before.text)),
        recorded=None if before is None else before.asked,
    )


def shown_step(call: StepCall, sample: int, redact: Callable[[str], str]) -> ShownCall:
    """Return a call of a step."""
    return ShownCall(
        module=call.name,
        model="",
        sample=sample,
        messages=(),
        parameters=_json(redacted(dict(call.inputs), redact)),
        reply=None,
        output="" if call.error else _json(redacted(call.output, redact)),
        error=redact(call.error),
        requests=0,
        cached=call.cached,
        prompt_tokens=0,
        completion_tokens=0,
        cost=0.0,
        seconds=call.seconds,
        step=True,
    )


def _as_it_came(request: Request, text: str) -> str:
    """Return a reply's text; of the pipeline's own client, the body of its answer."""
    return answer_of_text(text).text if isinstance(request, OwnRequest) else text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def text_of(blocks: Iterable[Block]) -> str:
    """Return blocks as one text, each under its title."""
    return "\n\n".join(f"--- {title} ---\n{text}" for title, text in blocks)


def head_of(call: ShownCall, number: int, total: int) -> str:
    """Return a call's first line: its place in the case, module, model, and what it took."""
    sample = f" of sample {call.sample + 1}" if call.sample else ""
    place = f"call {number} of {total}{sample}"
    took = "cached" if call.cached else f"live, {call.seconds:.2f} s"
    if call.step:
        return f"{place}: step {call.module}: {took}"
    if not call.requests:
        took = "no reply"
    elif call.requests > 1:
        took = f"{call.requests} requests, {took}"
    tokens = counted(call.prompt_tokens + call.completion_tokens, "token")
    cost = "cost unknown" if call.cost is None else f"${call.cost:.6f}" if call.cost else ""
    parts = (took, f"{tokens} ({call.prompt_tokens:,} + {call.completion_tokens:,})", cost)
    return f"{place}: {call.module}, {call.model}: {', '.join(filter(None, parts))}"


def blocks_of(call: ShownCall) -> list[Block]:
    """Return what was sent and said in a call, and what was said before where that is known."""
    title = "inputs" if call.step else "parameters"
    blocks = [(title, call.parameters)] if call.parameters != "{}" else []
    blocks += [(message[0], message[1]) for message in call.messages]
    if call.reply is not None:
        blocks.append(("reply", call.reply))
    given = "output" if call.step else "parsed"
    blocks.append(("error", call.error) if call.error else (given, call.output))
    if call.before is not None:
        day = f" of {call.recorded}" if call.recorded else ""
        same = call.before == call.reply
        blocks.append((f"recorded reply{day}", "the same" if same else call.before))
    return blocks


def case_text(calls: Iterable[ShownCall]) -> str:
    """Return all calls of a case as one text."""
    listed = list(calls)
    return "\n\n".join(
        f"{head_of(call, number, len(listed))}\n\n{text_of(blocks_of(call))}"
        for number, call in enumerate(listed, 1)
    )
