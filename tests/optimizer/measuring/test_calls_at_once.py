"""Calls that an async pipeline makes at once: they begin in one order, live or from the cache."""

import asyncio
from dataclasses import replace

from pytest_mipro import lm_module
from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.evaluate import Evaluator
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Case, Outcome, Study, TestSpec
from pytest_mipro.runtime.client.contract import Reply, Request


@lm_module(model="slow")
async def translate(text: str) -> str:
    """Translate the text."""


@lm_module(model="slow")
async def polish(draft: str) -> str:
    """Polish the draft."""


@lm_module(model="slow")
async def judge_tone(text: str) -> str:
    """Judge the tone of the text."""


async def _pipeline(text: str) -> None:
    async def polished() -> str:
        return await polish(draft=await translate(text=text))

    async def judged() -> str:
        return await judge_tone(text=text)

    await asyncio.gather(polished(), judged())


class _Keeping:
    """Answers after a while, and what it has answered at once."""

    def __init__(self) -> None:
        self._known: dict[str, Reply] = {}

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(0.01)
        return self._known.setdefault(request.digest(), Reply("yes", cost=0.0))

    def lookup(self, request: Request) -> Reply | None:
        found = self._known.get(request.digest())
        return replace(found, cached=True) if found else None

    def endpoint(self, model: str) -> str:
        return ""

    async def aclose(self) -> None:
        pass


def test_a_cache_answers_them_in_the_order_of_live_calls() -> None:
    def case() -> Outcome:
        asyncio.run(_pipeline("hello"))
        return Outcome(1.0)

    study = Study("study", (Case("test[a]", "a", "test", case),), {"test": TestSpec("test")})
    client, orders = _Keeping(), []
    for _ in range(2):
        evaluator = Evaluator(study, client, Accounting(), concurrency=1)
        part = Ledger(Limits(9)).part("trial", Amount(9), stage="search")
        (run,) = evaluator.start({}, study.cases, part).result().runs
        evaluator.close()
        placed = sorted(run.calls, key=lambda call: call.place)
        orders.append([call.signature.name.rpartition(".")[2] for call in placed])
        assert {call.cached for call in run.calls} == {len(orders) > 1}
    assert orders[0] == orders[1] == ["translate", "judge_tone", "polish"]
