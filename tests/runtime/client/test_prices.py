"""Prices: what replies cost by them, who knows them, and what bounds a request."""

import pytest

from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient, Usage
from pytest_mipro.runtime.client.prices import ModelPrice, known_price, output_limit
from pytest_mipro.runtime.client.providers import ProviderClient
from pytest_mipro.runtime.client.wrappers import BoundedClient, PricedClient

PRICE = ModelPrice(2.0, 10.0)
ASKED = Request("my/model", (Message("user", "one two three"),))


def test_a_price_is_dollars_per_million_tokens() -> None:
    assert PRICE.cost(Usage(11, 3)) == pytest.approx((11 * 2 + 3 * 10) / 1e6)


def test_a_set_price_replaces_what_the_client_tells() -> None:
    client = PricedClient(ScriptedClient(["yes"] * 2), {"my/model": PRICE})
    assert loop.run(client.complete(ASKED)).cost == PRICE.cost(Usage(3, 1))
    other = Request("other", ASKED.messages)
    assert loop.run(client.complete(other)).cost == 0.0  # the scripted client's own
    assert client.lookup(ASKED) is None


def test_who_knows_a_price_is_asked_through_wrappers() -> None:
    assert known_price(ScriptedClient([]), "my/model") is None
    known = PricedClient(ScriptedClient([]), {"my/model": PRICE})
    assert known_price(BoundedClient(known, 2), "my/model") == PRICE
    assert PricedClient(known, {}).price("my/model") == PRICE
    assert PricedClient(known, {}).price("other") is None


def test_simulated_models_cost_nothing() -> None:
    assert ProviderClient().price("simulated/small") == ModelPrice(0.0, 0.0)


@pytest.mark.parametrize(
    ("parameters", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 5),
        ({"max_tokens": None}, None),
    ],
)
def test_the_output_limit_is_what_parameters_say(
    parameters: dict[str, object], limit: int | None
) -> None:
    assert output_limit(parameters) == limit


def test_a_prompt_has_the_bytes_of_its_texts_and_schema() -> None:
    messages = (Message("system", "Grüße"), Message("user", "\ud800"))
    assert Request("m", messages).prompt_bytes() == 7 + 3
    schema = {"type": "string"}
    assert Request("m", messages, response_schema=schema).prompt_bytes() == 10 + 18


@pytest.mark.parametrize(("price", "cost"), [(PRICE, None), (ModelPrice(0, 0), 0.0)])
def test_a_reply_that_tells_no_usage_has_no_known_cost(
    price: ModelPrice, cost: float | None
) -> None:
    client = PricedClient(ScriptedClient([]), {"my/model": price})
    assert client.received(ASKED, Reply("yes", cost=0.1)).cost == cost
