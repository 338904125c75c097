"""Tokens and money of a whole study: never exceeded, deterministic, and told by who spent them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from optimizer_world import make_study, play
from world_model import PROPOSER, WorldClient

from pytest_mipro.errors import BudgetError, LimitReachedError, UnboundedCallError
from pytest_mipro.optimizer.run.events import Plan, TrialFinished
from pytest_mipro.optimizer.study.amount import Amount, nanodollars, total
from pytest_mipro.runtime.client.contract import Reply, Request, Usage
from pytest_mipro.runtime.client.prices import ModelPrice
from pytest_mipro.runtime.settings import current_settings, replace_settings

PRICE = ModelPrice(100.0, 300.0)
SMALL = {"max_demo_tokens": 100}


class BillingClient(WorldClient):
    """Tells usage by the length of texts, and adds up what distinct requests took."""

    def __init__(self, *, delays: int | None = None) -> None:
        super().__init__(delays=delays)
        self.bill: dict[str, tuple[int, float]] = {}

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        size = sum(len(message.content) for message in request.messages)
        usage = Usage(size // 4 + 3, len(reply.text) // 4 + 1)
        cost = PRICE.cost(usage)
        self.bill[request.digest()] = (usage.prompt_tokens + usage.completion_tokens, cost)
        return replace(reply, usage=usage, cost=cost)

    @property
    def spent(self) -> Amount:
        told = self.bill.values()
        money = sum(nanodollars(cost) for _, cost in told)
        return Amount(len(told), sum(tokens for tokens, _ in told), money)


@pytest.fixture(autouse=True)
def _output_limit() -> Iterator[None]:
    before = replace_settings(replace(current_settings(), max_output_tokens=20))
    yield
    replace_settings(before)


@pytest.fixture(autouse=True)
def _short_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ("proposing.proposer_models", "rounds.instruction_proposer"):
        monkeypatch.setattr(f"pytest_mipro.optimizer.{room}.MAX_PROMPT_CHARACTERS", 2400)


SERVICES = {"price": lambda model: PRICE}


def ending(**limits: float) -> str:
    client = BillingClient(delays=1)
    try:
        result = play(client=client, services=SERVICES, **SMALL, **limits).result
    except BudgetError:
        how = "refused"
    else:
        assert result.calls == client.spent.calls or result.ended
        how = "ended" if result.ended else "decided"
        how = f"{how} early" if result.ended and result.decision else how
    assert client.spent.tokens is not None
    assert client.spent.tokens <= limits.get("max_tokens", 10**9)
    assert (client.spent.dollars or 0) <= limits.get("max_cost", 10**9)
    return how


def test_tokens_are_never_exceeded() -> None:
    limits = (4_000, 8_000, 12_000, 25_000, 40_000, 200_000)
    ways = {ending(max_tokens=limit) for limit in limits}
    assert {"refused", "decided"} <= ways
    assert ways & {"ended", "ended early"}


def test_money_is_never_exceeded() -> None:
    ways = {ending(max_cost=limit) for limit in (0.2, 1.0, 2.0, 4.5, 7.0, 50.0)}
    assert {"refused", "decided"} <= ways


def test_a_limit_of_twice_what_is_expected_lets_the_search_run_to_its_end() -> None:
    """A call may take 400 times what it takes: only what is under way counts at that."""
    replace_settings(replace(current_settings(), max_output_tokens=2_000))
    free = play(client=BillingClient(), services=SERVICES, **SMALL)
    (plan,) = free.seen(Plan)
    dollars = plan.forecast.expected.dollars
    assert dollars is not None
    client = BillingClient()
    limited = play(client=client, services=SERVICES, max_cost=2 * dollars, **SMALL)
    assert limited.result.ended == free.result.ended == ""
    assert limited.result.prompts == free.result.prompts
    assert limited.result.trials == free.result.trials
    assert (client.spent.dollars or 0) <= 2 * dollars
    worst = PRICE.cost(Usage(0, 2_000)) * limited.result.calls
    assert worst > 20 * dollars


def test_a_search_that_a_token_limit_ends_is_the_same_whatever_the_concurrency() -> None:
    study = make_study()
    first, other = (
        play(
            study,
            BillingClient(delays=n),
            services=SERVICES,
            max_tokens=40_000,
            concurrency=concurrency,
            **SMALL,
        )
        for n, concurrency in enumerate((1, 16))
    )
    assert first.result == other.result
    assert first.events == other.events


def test_a_limit_that_is_not_reached_changes_no_trial() -> None:
    free, limited = (
        play(client=BillingClient(), services=SERVICES, **SMALL, **limit)
        for limit in ({"max_tokens": 10**7}, {"max_cost": 10**4})
    )
    assert free.seen(TrialFinished) == limited.seen(TrialFinished)
    assert free.result.prompts == limited.result.prompts


def test_spending_adds_up_to_what_the_replies_told() -> None:
    client = BillingClient()
    result = play(client=client, services=SERVICES).result
    assert total(entry.amount for entry in result.spending) == client.spent
    assert {entry.stage for entry in result.spending} == {
        *("baseline", "proposals", "bootstrap", "search", "decision", "final pass")
    } & {entry.stage for entry in result.spending}
    proposals = [entry for entry in result.spending if entry.stage == "proposals"]
    assert [(entry.module, entry.model) for entry in proposals] == [("", PROPOSER)] or proposals
    modules = {entry.module for entry in result.spending if entry.stage == "baseline"}
    assert len(modules) == 2
    assert sum(entry.live for entry in result.spending) == client.spent.calls


def test_a_budget_needs_a_price_and_an_output_limit_before_the_first_call() -> None:
    client = BillingClient()
    with pytest.raises(UnboundedCallError, match=r"needs the price of each model"):
        play(client=client, max_cost=1.0)
    replace_settings(replace(current_settings(), max_output_tokens=None))
    with pytest.raises(UnboundedCallError, match="tokens or cost needs a limit of the output"):
        play(client=client, services=SERVICES, max_tokens=10**6)
    assert client.requests == []


class Limited(BillingClient):
    """Refuses calls as a bill does whose limit is reached, for good or until it is lifted."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls
        self.kept = Amount()
        self.billed = Amount(5)

    def keep(self, amount: Amount) -> None:
        self.kept = amount

    async def complete(self, request: Request) -> Reply:
        if len(self.requests) >= self.calls and self.kept.calls:
            raise LimitReachedError("--mipro-max-calls=9 is used up")
        return await super().complete(request)


@pytest.mark.parametrize("calls", [90, 120, 160, 220])
def test_a_bill_that_is_used_up_ends_the_search_and_leaves_the_decision(calls: int) -> None:
    client = Limited(calls)
    played = play(client=client, services={"bill": client})
    result = played.result
    assert result.cut_short
    assert result.ended == "the search ended early: --mipro-max-calls=9 is used up"
    assert result.billed == Amount(5)
    assert client.kept == Amount()  # it was lifted for the decision
    if any(trial.kind == "full" for trial in played.seen(TrialFinished)):
        assert result.decision is not None


def test_a_bill_that_ends_the_baseline_is_refused() -> None:
    client = Limited(10)
    client.kept = Amount(1)
    with pytest.raises(BudgetError, match="is used up, within the baseline of 42 cases; raise it"):
        play(make_study(), client=client, services={"bill": client})


class OverlongClient(WorldClient):
    """A model that heeds no limit of its output: each reply has 1,000 tokens."""

    async def complete(self, request: Request) -> Reply:
        return replace(await super().complete(request), usage=Usage(10, 1_000))


@pytest.mark.parametrize("limit", [84_000, 84_400])
def test_replies_beyond_their_limit_end_the_baseline_by_one_line(limit: int) -> None:
    ends = f"the limit of {limit:,} tokens ends within the baseline of 42 cases; raise it"
    with pytest.raises(BudgetError, match=ends):
        play(client=OverlongClient(), max_tokens=limit, concurrency=100)
