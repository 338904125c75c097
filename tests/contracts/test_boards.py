"""One suite for every storage: what processes that share a study rely on, whichever holds it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_mipro.optimizer.shared.board import Board
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
def board(url: str) -> Iterator[Board]:
    with opened_storage(url) as storage:
        yield Board(storage, url, "study")


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


def test_an_entry_is_claimed_once(board: Board) -> None:
    owners = [board.put("process", state="running") for _ in range(4)]
    for _ in range(5):
        entry = board.put("job")
        claims = at_once(4, lambda number, entry=entry: board.claim(entry, owners[number]))
        assert sorted(claims) == [False, False, False, True]
        assert board.entry(entry).owner == owners[claims.index(True)]
        assert board.entry(entry).state == "running"


def test_an_entry_is_closed_once(board: Board) -> None:
    owner = board.put("process", state="running")
    entry = board.put("job")
    board.claim(entry, owner)
    ends = at_once(4, lambda number: board.fail(entry) if number else board.finish(entry, result=1))
    assert board.entry(entry).state == ("done" if ends[0] else "failed")
    assert not board.beat(entry, 1)
    assert not board.finish(entry, result=2)
    assert not board.claim(entry, owner)
    assert board.entry(entry).fact("result") in (None, 1)


def test_entries_are_read_in_the_order_in_which_they_were_put_up(board: Board) -> None:
    first, second = board.put("lease"), board.put("job", "key", place=0.5)
    done = board.put("reply", state="done", reply="text")
    assert [entry.id for entry in board.open_entries()] == [first, second]
    assert [entry.state for entry in board.open_entries()] == ["waiting", "waiting"]
    assert (board.entry(second).key, board.entry(second).place) == ("key", 0.5)
    assert [entry.id for entry in board.done()] == [done]
    board.fail(first)
    assert [entry.id for entry in board.open_entries()] == [second]


def test_facts_of_any_size_and_text_come_back(board: Board) -> None:
    long = [f"{number * 7919 % 100_003:x}" for number in range(120_000)]  # hardly to be packed
    fact = {"text": "ünï\x00\ud800 '\"\\ %s", "long": long, "none": None, "number": 0.1}
    entry = board.put("job", job=fact)
    assert board.entry(entry).fact("job") == fact
    assert max(map(len, board.entry(entry).facts["job.0"].splitlines())) <= 60_000
    assert len([name for name in board.entry(entry).facts if name.startswith("job.")]) > 1
    assert board.entry(entry).fact("result") is None


def test_boards_of_one_name_are_one_board(url: str) -> None:
    """Also where processes open an empty storage in the same moment, each making the tables."""
    with ExitStack() as stack:

        def opened(number: int) -> Board:
            storage = stack.enter_context(opened_storage(url))
            return Board(storage, url, "study")

        boards = at_once(4, opened)
        entries = at_once(4, lambda number: boards[number].put("job"))
        assert len(set(entries)) == 4
        for board in boards:
            assert [entry.id for entry in board.open_entries()] == sorted(entries)
        boards[0].note_about("agreement", {"a": "1"})
        assert boards[1].about == {"agreement": {"a": "1"}}
        other = Board(boards[0]._storage, url, "stud and more")
        assert [item.about for item in other.siblings("study")] == [boards[0].about]
        assert boards[0].siblings("study") == []
