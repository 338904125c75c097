"""What requests take: bounded before they are made, and counted by their replies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import UnboundedCallError
from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.study.amount import ONE_CALL, Amount, Limits, nanodollars
from pytest_mipro.runtime.client.contract import Message, Reply, Request, Usage
from pytest_mipro.runtime.client.prices import ModelPrice

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
    hard = cost_model.hard(asked)
    assert cost_model.actual(asked, Reply("", usage, cost=PRICE.cost(usage)), hard).within(hard)


def test_before_the_baseline_a_call_is_reserved_and_then_by_its_rate() -> None:
    cost_model, asked = made(), request("x" * 400, max_tokens=10)
    assert cost_model.worst(asked) == ONE_CALL
    cost_model.note(asked, Reply("", Usage(100, 5)))
    cost_model.calibrate()
    worst = cost_model.worst(asked)
    assert worst.tokens is not None
    assert 125 + 10 <= worst.tokens <= 125 + 10 + 40
    assert worst.within(cost_model.hard(asked))
    assert worst.nanodollars == nanodollars(PRICE.cost(Usage(worst.tokens - 10, 10)))


def test_the_shortest_of_two_output_limits_counts() -> None:
    cost_model = made()
    both = cost_model.hard(request(max_tokens=500, max_completion_tokens=10))
    assert both == cost_model.hard(request(max_tokens=10))


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
    cost_model, asked, worst = made(), request(max_tokens=5), Amount(1, 70, 700)
    assert cost_model.actual(asked, Reply("x"), worst) == worst
    assert made(Limits()).actual(asked, Reply("x"), worst) == Amount(1, 0, None)
    assert cost_model.actual(asked, Reply("x", Usage(3, 4)), worst) == Amount(1, 7, 46_000)


def test_nanodollars_are_rounded_up() -> None:
    assert nanodollars(1e-10) == 1
    assert nanodollars(0.1 + 0.2) == 300_000_000
    assert nanodollars(0.0) == 0
