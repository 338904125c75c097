"""One suite for every storage: what processes that share a study rely on, whichever holds it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.optimizer.shared.storage import opened_storage

STORAGES = ("journal", "sqlite", "postgresql")


@pytest.fixture(params=STORAGES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_database"))
    return {"journal": f"journal:{tmp_path}/log", "sqlite": f"sqlite:///{tmp_path}/base.db"}[
        request.param
    ]


@pytest.fixture
def store(url: str) -> Iterator[CoordinationStore]:
    with opened_storage(url) as storage:
        yield CoordinationStore(storage, url, "study")


def at_once(count: int, work: object) -> list[object]:
    """Return what `work(number)` gives in threads that begin together."""
    barrier, found = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        barrier.wait()
        try:
            found[number] = work(number)
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_an_entry_is_claimed_once(store: CoordinationStore) -> None:
    owners = [store.put("process", state="running") for _ in range(4)]
    for _ in range(5):
        entry = store.put("job")
        claims = at_once(4, lambda number, entry=entry: store.claim(entry, owners[number]))
        assert sorted(claims) == [False, False, False, True]
        assert store.entry(entry).owner == owners[claims.index(True)]
        assert store.entry(entry).state == "running"


def test_an_entry_is_closed_once(store: CoordinationStore) -> None:
    owner = store.put("process", state="running")
    entry = store.put("job")
    store.claim(entry, owner)
    ends = at_once(4, lambda number: store.fail(entry) if number else store.finish(entry, result=1))
    assert store.entry(entry).state == ("done" if ends[0] else "failed")
    assert not store.beat(entry, 1)
    assert not store.finish(entry, result=2)
    assert not store.claim(entry, owner)
    assert store.entry(entry).fact("result") in (None, 1)


def test_entries_are_read_in_the_order_in_which_they_were_put_up(store: CoordinationStore) -> None:
    first, second = store.put("lease"), store.put("job", "key", place=0.5)
    done = store.put("reply", state="done", reply="text")
    assert [entry.id for entry in store.open_entries()] == [first, second]
    assert [entry.state for entry in store.open_entries()] == ["waiting", "waiting"]
    assert (store.entry(second).key, store.entry(second).place) == ("key", 0.5)
    assert [entry.id for entry in store.done()] == [done]
    store.fail(first)
    assert [entry.id for entry in store.open_entries()] == [second]


def test_facts_of_any_size_and_text_come_back(store: CoordinationStore) -> None:
    long = [f"{number * 7919 % 100_003:x}" for number in range(120_000)]  # hardly to be packed
    fact = {"text": "ünï\x00\ud800 '\"\\ %s", "long": long, "none": None, "number": 0.1}
    entry = store.put("job", job=fact)
    assert store.entry(entry).fact("job") == fact
    assert max(map(len, store.entry(entry).facts["job.0"].splitlines())) <= 60_000
    assert len([name for name in store.entry(entry).facts if name.startswith("job.")]) > 1
    assert store.entry(entry).fact("result") is None


def test_stores_of_one_name_are_one_store(url: str) -> None:
    """Also where processes open an empty storage in the same moment, each making the tables."""
    with ExitStack() as stack:

        def opened(number: int) -> CoordinationStore:
            storage = stack.enter_context(opened_storage(url))
            return CoordinationStore(storage, url, "study")

        stores = at_once(4, opened)
        entries = at_once(4, lambda number: stores[number].put("job"))
        assert len(set(entries)) == 4
        for store in stores:
            assert [entry.id for entry in store.open_entries()] == sorted(entries)
        stores[0].set_attribute("agreement", {"a": "1"})
        assert stores[1].attributes == {"agreement": {"a": "1"}}
        other = CoordinationStore(stores[0]._storage, url, "stud and more")
        assert [item.attributes for item in other.siblings("study")] == [stores[0].attributes]
        assert stores[0].siblings("study") == []
