"""What requests take: bounded before they are made, and counted by their replies."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import call
from optimizer_world import note

from pytest_mipro.errors import UnboundedCallError
from pytest_mipro.optimizer.budget.cost_model import CostModel, Sizes, sizes_of
from pytest_mipro.optimizer.study.amount import Amount, Limits, nanodollars
from pytest_mipro.runtime.client.contract import Message, Reply, Request, Usage
from pytest_mipro.runtime.client.prices import ModelPrice
from pytest_mipro.runtime.prompts.prompt import Prompt

MONEY = Limits(nanodollars=10**12)
PRICE = ModelPrice(2.0, 10.0)


def request(text: str = "hi", **parameters: int) -> Request:
    return Request("m", (Message("user", text),), parameters)


def made(limits: Limits = MONEY) -> CostModel:
    return CostModel(limits, {"m": PRICE}.get)


@given(st.text(max_size=50), st.integers(1, 100))
def test_no_usage_within_the_limit_exceeds_the_hard_bound(text: str, output: int) -> None:
    asked = request(text, max_tokens=output)
    usage = Usage(len(text.encode("utf-8", "surrogatepass")) + 8, output)
    cost_model = made()
    worst = cost_model.worst(asked)
    assert cost_model.took(asked, Reply("", usage, cost=PRICE.cost(usage))).within(worst)


def test_texts_have_the_tokens_per_byte_that_calls_told() -> None:
    path = note.signature.prompt_path
    size = len(f"Note it.<text>\n{'a' * 92}\n</text>")
    made = replace(call(note, "a" * 92, "A"), usage=Usage(round(0.4 * size), 3), requests=1)
    sizes = sizes_of([made], {path: Prompt("Note it.")}, Amount(1))
    assert sizes.tokens(made.model, "y" * 100) == pytest.approx(40, abs=1)
    assert sizes.tokens("another", "y" * 100) == 30
    assert sizes.bytes(made.model, 40) == pytest.approx(100, abs=1)
    assert sizes.bytes("another", 30) == 100
    assert sizes_of([made], {}, Amount(1)).rates == {}


@pytest.mark.parametrize(("told", "size"), [(0.001, 333), (7.0, 200)])
def test_what_no_text_takes_bounds_nothing(told: float, size: int) -> None:
    assert Sizes({"odd": told}, Amount(1)).bytes("odd", 100) == size


def test_the_highest_worst_case_is_noted() -> None:
    cost_model = made()
    assert cost_model.dearest == Amount(1)
    for asked in (request("x" * 400, max_tokens=10), request("x", max_tokens=10)):
        cost_model.noted(asked, Reply("", Usage(100, 5)), cost_model.worst(asked))
    assert cost_model.dearest == cost_model.worst(request("x" * 400, max_tokens=10))


def test_the_shortest_of_two_output_limits_counts() -> None:
    cost_model = made()
    both = cost_model.worst(request(max_tokens=500, max_completion_tokens=10))
    assert both == cost_model.worst(request(max_tokens=10))


def test_what_has_no_bound_is_refused_in_one_line() -> None:
    with pytest.raises(UnboundedCallError, match="a limit of tokens or cost needs a limit of"):
        made().worst(request())
    with pytest.raises(UnboundedCallError, match="a limit of tokens or cost needs a limit of"):
        made(Limits(tokens=9)).worst(request())
    unknown = Request("other", (), {"max_tokens": 1})
    with pytest.raises(UnboundedCallError, match=r"price of each model, .* known for 'other'"):
        made().worst(unknown)
    made(Limits(tokens=9)).worst(unknown)
    made(Limits(calls=9)).worst(request())


def test_a_reply_without_usage_counts_at_its_worst() -> None:
    cost_model, asked = made(), request(max_tokens=5)
    assert cost_model.took(asked, Reply("x")) == cost_model.worst(asked)
    assert made(Limits()).took(asked, Reply("x")) == Amount(1, 0, None)
    assert cost_model.took(asked, Reply("x", Usage(3, 4))) == Amount(1, 7, 46_000)
    assert made(Limits()).took(asked, Reply("x", Usage(3, 4), cost=0.5)).dollars == 0.5


def test_nanodollars_are_rounded_up() -> None:
    assert nanodollars(1e-10) == 1
    assert nanodollars(0.1 + 0.2) == 300_000_000
    assert nanodollars(0.0) == 0
