"""The forecast: what stages, their proposals and the demos of candidates take."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import call
from optimizer_world import make_settings, make_study, note, play, sort, without
from world_model import WorldClient

from pytest_mipro.optimizer.budget.cost_model import CostModel, Expectation, Sizes
from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.run.forecast import (
    Forecast,
    Pass,
    StageForecast,
    StageSize,
    Typical,
    forecast,
    usual_growth,
)
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.runtime.client.contract import Reply, Request, Usage
from pytest_mipro.runtime.client.prices import ModelPrice
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
DEMOS = tuple(Demo(f"r{n}", {"text": "x"}, "A") for n in range(8))
PRICE = ModelPrice(100.0, 300.0)


def expectation(committed: dict[Path, Prompt], *, module: Any = note) -> Expectation:
    """Return the expectation from one row with one call, of 200 bytes or so as a demo."""
    made = replace(
        call(module, "a" * 180, "A"), usage=Usage(500, 10), cost=PRICE.cost(Usage(500, 10))
    )
    sizes = Sizes({made.model: 0.5}, Amount(1))
    return Expectation({"a": (made,)}, committed, CostModel(Limits(), lambda _: PRICE), sizes)


def growth(committed: dict[Path, Prompt], **settings: Any) -> dict[Path, int]:
    made = expectation(committed)
    chosen = make_settings(**{"parts": without("instructions"), "max_demos": 8, **settings})
    return usual_growth(made, chosen, Sizes({"test/fake": 0.5}, Amount(1)))


def test_the_usual_demos_come_on_top_of_a_prompt_without_any() -> None:
    plain = growth({NOTE: Prompt("Note it.")})[NOTE]
    one = plain / (0.8 * 8)
    assert 50 < one < 140
    assert growth({NOTE: Prompt("Note it.", DEMOS[:2])})[NOTE] == pytest.approx(4.4 * one, abs=2)
    assert growth({NOTE: Prompt("Note it.", DEMOS)})[NOTE] == 0
    assert growth({NOTE: Prompt("Note it.")}, max_demo_tokens=99) == {NOTE: 99}


def test_a_longer_prompt_costs_its_tokens_in_each_call() -> None:
    made = expectation({NOTE: Prompt("Note it.")})
    plain = made.of(["a"], {})
    assert plain == Amount(1, 510, round(1e9 * PRICE.cost(Usage(500, 10))))
    longer = made.of(["a"], {NOTE: Prompt("Note it." + 100 * "x")})
    assert longer - plain == Amount(0, 50, round(1e9 * PRICE.cost(Usage(50, 0))))
    assert made.of(["a"], {SORT: Prompt("of another module")}) == plain
    teacher = made.of(["a"], {}, "teacher")
    assert teacher == plain


TYPICAL = Typical(
    rows=10,
    repeated=Pass(20, {"m": Amount(40, 4_000, 400)}),
    once=Pass(10, {"m": Amount(20, 2_000, 200)}),
    proposer="p",
    proposal=Amount(1, 900, 90),
    latency=2.0,
)


def test_stages_take_their_share_of_a_pass_and_proposals_their_own_calls() -> None:
    sizes = [
        StageSize("baseline", 10, 10),
        StageSize("proposals", 0, 0, calls=3),
        StageSize("search", 25, 20, repeats=False),
        StageSize("final pass", 10, 5),
    ]
    made = forecast(TYPICAL, sizes, {"m": Amount(40, 3_000, 300)}, concurrency=4)
    assert [stage.expected for stage in made.stages] == [
        Amount(40, 3_000, 300),
        Amount(3, 2_700, 270),
        Amount(40, 4_000, 400),
        Amount(20, 2_000, 200),
    ]
    assert [stage.case_runs for stage in made.stages] == [20, 0, 25, 20]
    assert made.models["p"] == Amount(3, 2_700, 270)
    assert made.seconds == (40 + 3 + 40 + 20) * 2.0 / 4
    unknown = forecast(replace(TYPICAL, latency=0.0), sizes, {}, concurrency=4)
    assert unknown.seconds is None


def test_it_tells_at_which_trial_a_limit_ends_the_search_and_what_is_enough() -> None:
    made = Forecast(
        (
            StageForecast("baseline", 0, Amount(100)),
            StageForecast("proposals", 0, Amount(20)),
            StageForecast("search", 0, Amount(180)),
            StageForecast("decision", 0, Amount(40)),
        ),
        {},
    )
    assert made.ending(Limits(350), 12) is None
    assert made.ending(Limits(250), 12) == (6, "350 calls")
    assert made.ending(Limits(120), 12) == (0, "350 calls")


class Telling(WorldClient):
    """Tells usage by the length of texts."""

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        size = sum(len(message.content) for message in request.messages)
        return replace(reply, usage=Usage(size // 4, len(reply.text) // 4 + 1), latency=0.5)


def test_what_is_forecast_is_near_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # Instructions and proposals of this world are a few words long.
    monkeypatch.setattr("pytest_mipro.optimizer.run.forecast.LONGER_INSTRUCTION", 10)
    monkeypatch.setattr("pytest_mipro.optimizer.run.plan._PROPOSAL_OUTPUT", 10)
    played = play(make_study(), Telling())
    (plan,) = played.seen(Plan)
    took = sum(entry.amount.tokens or 0 for entry in played.result.spending)
    assert plan.forecast.expected.tokens is not None
    assert 0.6 <= plan.forecast.expected.tokens / took <= 2.0
