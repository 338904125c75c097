"""The forecast: what stages, their proposals and the demos of candidates take."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import call
from optimizer_world import (
    HARD,
    LATE,
    TWO_TESTS,
    Row,
    make_settings,
    make_study,
    metric_hard,
    note,
    play,
    sort,
    without,
)
from world_model import WorldClient

from pytest_mipro.optimizer.budget.cost_model import CostModel, Sizes
from pytest_mipro.optimizer.budget.expectation import Expectation, RowCalls
from pytest_mipro.optimizer.budget.prompt_parts import PromptParts, prompt_parts
from pytest_mipro.optimizer.proposing.proposer_models import GROUNDING_CALLS, PROPOSAL_TOKENS
from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.run.forecast import (
    Demos,
    Forecast,
    Pass,
    StageForecast,
    Typical,
    demo_tokens,
    forecast,
    growth,
    usual_length,
)
from pytest_mipro.optimizer.run.stage_sizes import StageSize
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Outcome, Study
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
    path = made.signature.prompt_path
    calls = RowCalls({"a": (made,)}, {path: frozenset({path})})
    return Expectation(calls, committed, CostModel(Limits(), lambda _: PRICE), sizes)


def grown(measured: PromptParts, calls: int = 10, shown: float = 0.0, **settings: Any) -> int:
    chosen = {"parts": without("instructions"), **settings}
    return growth(make_settings(**chosen), measured, calls, shown)


def test_demos_come_on_top_of_a_prompt_without_any() -> None:
    assert grown(PromptParts(100, 0, 400), shown=160) == 160
    assert grown(PromptParts(100, 800, 400), shown=160) == 160 - 80
    assert grown(PromptParts(100, 4_000, 400), shown=160) == 0
    assert grown(PromptParts(), calls=0) == 0


def shown(demos: Demos = "first", rows: int = 1_000, modules: int = 1, **settings: Any) -> float:
    chosen = {"max_demos": None, "rounds": 3, **settings}
    return demo_tokens(make_settings(**chosen), rows, 10.0, modules, demos)


def test_the_demos_of_candidates_are_those_that_the_search_draws() -> None:
    assert [shown("none"), shown(), shown("most")] == [0, 32 * 10, 4 * 32 * 10]
    assert shown("most", rounds=1) == shown()
    assert shown(modules=4) == 8 * 10  # the first ones are shared out
    assert shown("most", rows=5) == shown(rows=5) == 5 * 10
    assert shown("most", max_demos=3) == 3 * 10
    assert shown("most", max_demo_tokens=100) == 100
    assert shown("most", parts=without("demos")) == 0


def test_a_usual_instruction_is_between_the_current_one_and_the_limit_of_a_proposal() -> None:
    for current in (0.0, 8.0, 400.0):
        assert usual_length(current) == pytest.approx((max(1.0, current) * PROPOSAL_TOKENS) ** 0.5)
    assert usual_length(5_000) == PROPOSAL_TOKENS
    longer = round(usual_length(10) - 10)
    assert grown(PromptParts(100, 0, 0), parts=without()) == longer
    assert grown(PromptParts(50_000, 0, 0), parts=without()) == 0


def test_prompts_are_measured_by_part_in_the_tokens_of_their_model() -> None:
    made = call(note, "a" * 180, "A")
    sizes = Sizes({made.model: 0.5}, Amount(1))
    parts = prompt_parts([made, made], {NOTE: Prompt("Note it.", DEMOS)}, sizes)
    assert parts.instruction == 2 * 4
    assert parts.demo == 2 * round(0.5 * len(f"<text>\n{'a' * 180}\n</text>A"))
    assert parts.demos == 2 * round(0.5 * 8 * len("<text>\nx\n</text>A"))
    assert prompt_parts([made], {SORT: Prompt("of another module")}, sizes) == PromptParts()


def test_a_longer_prompt_costs_its_tokens_in_each_call() -> None:
    made = expectation({NOTE: Prompt("Note it.")})
    plain = made.of(["a"], {})
    assert plain == Amount(1, 510, round(1e9 * PRICE.cost(Usage(500, 10))))
    longer = made.of(["a"], {NOTE: Prompt("Note it." + 100 * "x")})
    assert longer - plain == Amount(0, 50, round(1e9 * PRICE.cost(Usage(50, 0))))
    assert made.of(["a"], {SORT: Prompt("of another module")}) == plain
    teacher = made.of(["a"], {}, "teacher")
    assert teacher == plain
    asked = [made.by_model(["a"], {}, "teacher", taught) for taught in ({NOTE}, {SORT}, None)]
    (model,) = made.by_model(["a"], {})
    assert [set(each) for each in asked] == [{"teacher"}, {model}, {"teacher"}]


TYPICAL = Typical(
    rows=10,
    repeated=Pass(20, {"m": Amount(40, 4_000, 400)}),
    once=Pass(10, {"m": Amount(20, 2_000, 200)}),
    proposals=[("p", Amount(1, 900, 90))],
    grounding=Amount(2, 1_000, 100),
    latency=2.0,
)


def test_stages_take_their_share_of_a_pass_and_proposals_their_own_calls() -> None:
    sizes = [
        StageSize("baseline", repeated=10, fresh_repeated=10),
        StageSize("proposals", calls=GROUNDING_CALLS + 3),
        StageSize("search", 25, 5, fresh_once=20, fresh_repeated=5, leader=5),
        StageSize("final pass", repeated=10, fresh_repeated=5),
    ]
    made = forecast(TYPICAL, sizes, {"m": Amount(40, 3_000, 300)}, concurrency=4)
    assert [stage.expected for stage in made.stages] == [
        Amount(40, 3_000, 300),
        Amount(5, 3_700, 370),
        Amount(60, 6_000, 600),
        Amount(20, 2_000, 200),
    ]
    assert [stage.case_runs for stage in made.stages] == [20, 0, 35, 20]
    assert made.models["p"] == Amount(5, 3_700, 370)
    assert made.leader == Amount(20, 2_000, 200)
    assert made.seconds == (40 + 5 + 60 + 20) * 2.0 / 4
    slow = forecast(replace(TYPICAL, own=0.1), sizes, {"m": Amount(40, 3_000, 300)}, concurrency=4)
    assert slow.seconds == pytest.approx(made.seconds + 75 * 0.1)
    unknown = forecast(replace(TYPICAL, latency=0.0), sizes, {}, concurrency=4)
    assert unknown.seconds is None


def test_proposer_models_take_turns_and_a_teacher_answers_for_its_rows() -> None:
    dear, cheap = ("p", Amount(1, 900, 9_000)), ("q", Amount(1, 800, 8))
    taught = {"m": Amount(10, 1_000, 100), "t": Amount(10, 1_000, 9_000)}
    sizes = [
        StageSize("bootstrap", 15, fresh_once=15, taught=5),
        StageSize("proposals", calls=GROUNDING_CALLS + 3),
    ]
    typical = replace(TYPICAL, proposals=[dear, cheap], taught=taught)
    made = forecast(typical, sizes, {}, concurrency=4)
    assert made.models == {
        "m": Amount(20 + 5, 2_000 + 500, 200 + 50),
        "t": Amount(5, 500, 4_500),
        "p": Amount(2 + 2, 1_000 + 1_800, 100 + 18_000),
        "q": Amount(1, 800, 8),
    }


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
    assert made.ending(Limits(250), 12) == (7, "350 calls")
    assert made.ending(Limits(150), 12) == (1, "350 calls")
    assert made.ending(Limits(149), 12) == (0, "350 calls")
    # Of two limits, the one that holds no search.
    stages = [replace(it, expected=Amount(*[it.expected.calls] * 2)) for it in made.stages]
    told = replace(made, stages=tuple(stages))
    assert told.ending(Limits(250, 149), 12) == (0, "350 tokens")
    assert told.ending(Limits(250, 150), 12) == (7, "350 calls")
    # A trial leaves room for the leader's full evaluation, which ends the search earlier.
    led = replace(made, leader=Amount(100))
    assert led.ending(Limits(350), 12) is None
    assert led.ending(Limits(300), 12) == (7, "350 calls")
    assert led.ending(Limits(249), 12) == led.ending(Limits(150), 12) == (1, "350 calls")
    assert led.ending(Limits(149), 12) == (0, "350 calls")


class Telling(WorldClient):
    """Tells usage by the length of texts."""

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        size = sum(len(message.content) for message in request.messages)
        return replace(reply, usage=Usage(size // 4, len(reply.text) // 4 + 1), latency=0.5)


@pytest.mark.parametrize(
    "study", [make_study(), HARD, TWO_TESTS, LATE], ids=["plain", "hard", "two", "late"]
)
def test_what_is_forecast_is_near_what_is_taken(study: Study) -> None:
    played = play(study, Telling())
    (plan,) = played.seen(Plan)
    took = sum(entry.amount.tokens or 0 for entry in played.result.spending)
    expected, made = plan.forecast.expected.tokens or 0, plan.forecast
    # Instructions of this world are a few words long, those of no model are.
    assert 1.0 <= expected / took <= 2.5
    assert (made.least.tokens or 0) < expected <= (made.most.tokens or 0)
    assert made.least.calls == made.expected.calls == made.most.calls


def test_the_pipeline_runs_no_more_often_than_forecast_where_cases_repeat() -> None:
    runs = Counter[str]()

    def counted(row: Row) -> Outcome:
        runs[row.id] += 1
        return metric_hard(row)

    study = make_study(tests={"test_hard": counted}, specs={"test_hard": {"repeats": 4}})
    (plan,) = play(study, trials=6).seen(Plan)
    assert sum(runs.values()) <= plan.forecast.case_runs


def test_time_ends_a_search_before_what_is_kept_for_the_decision() -> None:
    calls = {"baseline": 100, "proposals": 20, "search": 180, "decision": 40, "final pass": 60}
    stages = tuple(StageForecast(name, 0, Amount(many)) for name, many in calls.items())
    made = Forecast(stages, {}, seconds=400.0, leader=Amount(60))
    # A second a call: 100 s for the baseline, 240 s kept, 140 s for proposals and trials.
    assert made.ending_by_time(480, 12) is None
    assert made.ending_by_time(479, 12) == (12, 480)
    assert made.ending_by_time(410, 12) == (7, 480)
    assert made.ending_by_time(340, 12) == (0, 480)
    assert replace(made, seconds=None).ending_by_time(1, 12) is None
    assert Forecast((), {}, seconds=1.0).ending_by_time(0.5, 12) is None
