"""The journal of what is paid: kept before each call, summed over runs, never beyond a limit."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mipro.errors import (
    CacheError,
    EndpointDownError,
    EndpointError,
    LimitReachedError,
    MiproError,
    MissingKeyError,
    UnknownModelError,
)
from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.plugin.replies.bill import BilledClient, JournalBill, billing
from pytest_mipro.plugin.replies.journal import last_summary, lines_of, paid
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient, Usage
from pytest_mipro.runtime.client.live.retry import report_lost_attempt
from pytest_mipro.runtime.client.prices import ModelPrice

PRICE = ModelPrice(1_000.0, 1_000.0)  # a tenth of a cent a token
LIMITS = Limits(tokens=1_000)


def request(text: str = "hi", sample: int = 0) -> Request:
    return Request("m", (Message("user", text),), {"max_tokens": 10}, sample=sample)


def bill_of(path: Path) -> Path:
    return path / "bills" / "s.jsonl"


def made(path: Path, limits: Limits = LIMITS) -> JournalBill:
    return JournalBill(bill_of(path), limits, CostModel(limits, lambda _: PRICE))


class Client(ScriptedClient):
    """Replies with usage, after as many lost attempts as it is told."""

    def __init__(self, lost: int = 0) -> None:
        super().__init__(lambda _: "yes")
        self.lost = lost

    async def complete(self, request: Request) -> Reply:
        for _ in range(self.lost):
            report_lost_attempt(again=True)
        reply = await super().complete(request)
        return replace(reply, usage=Usage(3, 1))


def ask(bill: JournalBill, client: ScriptedClient, count: int = 1) -> None:
    async def together() -> None:
        await asyncio.gather(
            *(BilledClient(client).complete(request(sample=number)) for number in range(count))
        )

    with billing(bill):
        asyncio.run(together())


def test_a_call_is_billed_what_its_reply_told(tmp_path: Path) -> None:
    with made(tmp_path) as bill:
        ask(bill, Client(), 3)
        assert bill.billed == Amount(3, 12, 0)
    with made(tmp_path) as again:  # the first run did not finish
        assert again.billed.calls == 3
        assert again.billed.tokens == 12


def test_without_a_study_nothing_is_billed() -> None:
    reply = asyncio.run(BilledClient(Client()).complete(request()))
    assert reply.usage == Usage(3, 1)


def test_a_lost_attempt_counts_as_spent(tmp_path: Path) -> None:
    with made(tmp_path) as bill:
        ask(bill, Client(lost=2))
        worst = CostModel(LIMITS).worst(request()).tokens
        assert worst is not None
        assert bill.billed.tokens == 2 * worst + 4
        assert bill.billed.calls == 3
    with made(tmp_path) as again:
        assert again.billed.tokens == 2 * worst + 4


def test_without_a_limit_lost_attempts_count_at_their_most_tokens(tmp_path: Path) -> None:
    most = CostModel(LIMITS).worst(request()).tokens
    assert most is not None
    with made(tmp_path, Limits(calls=9)) as bill:
        ask(bill, Client(lost=2))
        bill.begin(request(sample=1))  # and its run dies
    with made(tmp_path, Limits()) as again:
        assert again.billed == Amount(4, 3 * most + 4, 0)
        again.begin(replace(request(), parameters={}))  # of its output nothing is known
        assert again.billed == Amount(5, 4 * most + 4 - 10, 0)


def test_the_cost_of_what_was_lost_or_died_is_told_as_unknown(tmp_path: Path) -> None:
    with made(tmp_path, Limits()) as bill:
        ask(bill, Client(lost=2))
        bill.begin(request(sample=1))  # and its run dies
    sums = {it.amount.nanodollars: it.amount.calls for it in paid(lines_of(bill_of(tmp_path)))}
    assert sums == {0: 1, None: 3}
    with made(tmp_path, Limits()) as again:
        assert again.billed.nanodollars == 0  # as far as it is known


def test_replies_longer_than_allowed_end_the_run_and_are_named(tmp_path: Path) -> None:
    class Talking(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            return replace(await super().complete(request), usage=Usage(3, 400))

    with made(tmp_path) as bill:
        ask(bill, Talking(lambda _: "yes"))
        ask(bill, Talking(lambda _: "yes"))
        with pytest.raises(LimitReachedError, match="as m writes more than its max_tokens"):
            ask(bill, Talking(lambda _: "yes"))
        assert bill.billed.tokens == 806  # of 1,000


def test_a_limit_of_calls_blames_no_model(tmp_path: Path) -> None:
    class Talking(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            return replace(await super().complete(request), usage=Usage(3, 400))

    with made(tmp_path, Limits(calls=1)) as bill:
        ask(bill, Talking(lambda _: "yes"))
        with pytest.raises(LimitReachedError, match=r"the next call could exceed it$"):
            ask(bill, Talking(lambda _: "yes"))


def test_lost_attempts_end_at_the_limit(tmp_path: Path) -> None:
    with made(tmp_path) as bill:
        with pytest.raises(LimitReachedError, match="another attempt could exceed it"):
            ask(bill, Client(lost=1_000))
        assert bill.billed.within(LIMITS)


def test_a_last_attempt_that_is_lost_counts_once(tmp_path: Path) -> None:
    class Cut(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            for number in range(3):
                report_lost_attempt(again=number < 2)
            raise EndpointDownError("cut")

    with made(tmp_path, Limits(calls=3)) as bill:
        with pytest.raises(EndpointDownError):
            ask(bill, Cut([]))
        assert bill.billed.calls == 3
    with made(tmp_path) as again:
        assert again.billed.calls == 3


@pytest.mark.parametrize("error", [MissingKeyError, UnknownModelError])
def test_a_call_that_no_model_got_is_not_billed(tmp_path: Path, error: type[MiproError]) -> None:
    class Refused(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            raise error("none")

    with made(tmp_path, Limits(calls=3)) as bill:
        for _ in range(5):
            with pytest.raises(error):
                ask(bill, Refused([]))
        assert bill.billed.calls == 0
    with made(tmp_path) as again:
        assert again.billed.calls == 0


def test_a_cancelled_call_counts_as_spent(tmp_path: Path) -> None:
    class Hanging(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    async def cancelled(bill: JournalBill) -> None:
        task = asyncio.create_task(BilledClient(Hanging([])).complete(request()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with made(tmp_path) as bill:
        with billing(bill):
            asyncio.run(cancelled(bill))
        spent = bill.billed
    assert spent.tokens == CostModel(LIMITS).worst(request()).tokens
    with made(tmp_path) as again:
        assert again.billed.tokens == spent.tokens


def test_a_refused_call_takes_no_tokens(tmp_path: Path) -> None:
    class Refusing(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            raise EndpointError("no")

    with made(tmp_path) as bill:
        with pytest.raises(EndpointError):
            ask(bill, Refusing([]))
        assert bill.billed == Amount(1, 0, 0)


def test_what_is_kept_is_left(tmp_path: Path) -> None:
    with made(tmp_path) as bill:
        bill.keep(Amount(0, 990, 0))
        with pytest.raises(LimitReachedError, match="the limit of 1,000 tokens is used up"):
            ask(bill, Client())
        bill.keep(Amount())
        ask(bill, Client())


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 40),
    st.integers(0, 3),
    st.sampled_from(["calls", "tokens", "nanodollars"]),
)
def test_no_limit_is_exceeded_by_concurrent_calls(
    tmp_path_factory: pytest.TempPathFactory, limit: int, count: int, lost: int, currency: str
) -> None:
    unit = 1_000_000 if currency == "nanodollars" else 1
    limits = Limits(**{currency: limit * unit})
    folder = tmp_path_factory.mktemp("bill")
    with made(folder, limits) as bill:
        with contextlib.suppress(LimitReachedError):
            ask(bill, Client(lost), count)
        assert bill.billed.within(limits)
        spent = bill.billed
    with made(folder, limits) as again:
        assert again.billed == spent


def test_a_full_disk_is_told_by_the_line_that_finds_no_room_alone(tmp_path: Path) -> None:
    with made(tmp_path) as bill:
        assert bill._file is not None
        bill._file.close()
        bill._file = Path("/dev/full").open("a")  # noqa: SIM115 - the bill closes it
        with pytest.raises(CacheError, match="No space left on device"):
            ask(bill, Client())


def test_a_journal_that_is_cut_off_or_strange_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = bill_of(tmp_path)
    path.parent.mkdir()
    path.write_text('[]\n{"call": 4, "calls": 1, "tokens": 7}\nnonsense\n{"took": 4, "cal')
    assert last_summary(lines_of(path)) is None
    with made(tmp_path) as bill:
        assert bill.billed == Amount(1, 7, 0)
        ask(bill, Client())
    with made(tmp_path) as again:
        assert again.billed.calls == 2
    assert path.read_text().count('"call": ') == 2
    assert last_summary(lines_of(tmp_path / "none.jsonl")) is None
