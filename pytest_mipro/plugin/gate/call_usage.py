"""Sum up what the calls of a case took, by module: its own, and those of its fixtures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pytest_mipro.optimizer.budget.cost_model import sizes_of
from pytest_mipro.optimizer.budget.expectation import call_identity
from pytest_mipro.optimizer.budget.prompt_parts import prompt_parts
from pytest_mipro.optimizer.study.amount import ONE_CALL, Amount, nanodollars
from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.plugin.measuring.report_data import CallUsage, ModuleUsage, by_module
from pytest_mipro.plugin.replies.fixture_calls import SetUp
from pytest_mipro.runtime.calls.trace import ModuleCall, Trace
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.signature.signature import Signature


def usages_of_set_ups(set_ups: Iterable[SetUp]) -> tuple[ModuleUsage, ...]:
    """Return what the calls of a case's set-ups took.

    A set-up that several cases share counts in the first of them; the others name its modules.
    """
    named, counted = [], list[ModuleCall]()
    for made in set_ups:
        if made.counted:
            named += [ModuleUsage(*_user(call), CallUsage()) for call in made.trace.calls]
        else:
            counted += made.trace.calls
            made.counted = True
    return by_module([*named, *usages_of(counted)])


def paid_within(traces: Iterable[Trace]) -> tuple[ModuleUsage, ...]:
    """Return what was paid within kept steps: it is billed, and no usage of a case."""
    live = (call for trace in traces for call in trace.within if not call.cached)
    return by_module(_paid(ModuleUsage(*_user(call), CallUsage()), call) for call in live)


def usages_of(calls: Sequence[ModuleCall]) -> tuple[ModuleUsage, ...]:
    """Return what the calls took."""
    found = []
    committed = {
        path: committed_prompt(call.signature)
        for call in calls
        if call.signature.optimize and (path := call.signature.prompt_path)
    }
    sizes = sizes_of(calls, committed, ONE_CALL)
    for call in calls:
        cached = call.requests if call.cached else 0
        tokens = call.usage.prompt_tokens, call.usage.completion_tokens
        usage = CallUsage(call.requests, cached, *tokens, call.cost)
        parts = prompt_parts([call], committed, sizes)
        follows, frozen = _followed(call.signature), not call.signature.optimize
        took = ModuleUsage(*_user(call), usage, parts, call.latency, follows=follows, frozen=frozen)
        asked = (content_digest(call_identity(call)),)
        took = replace(took, untimed=0 if call.latency else call.requests, asked=asked)
        found.append(took if call.cached else _paid(took, call))
    return by_module(found)


def _user(call: ModuleCall) -> tuple[str, str]:
    return call.signature.label, call.model


def _followed(signature: Signature) -> str:
    """Return the plain module whose prompt a variant has, "" for what has its own."""
    plain = signature.plain
    return plain.label if plain is not None and not signature.prompt_path.exists() else ""


def _paid(usage: ModuleUsage, call: ModuleCall) -> ModuleUsage:
    tokens = call.usage.prompt_tokens + call.usage.completion_tokens
    if call.cost is None:
        return replace(usage, unpriced=Amount(call.requests, tokens, None))
    return replace(usage, live=Amount(call.requests, tokens, nanodollars(call.cost)))
