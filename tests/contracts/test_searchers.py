"""One suite for every searcher: what the main loop relies on, whichever is chosen."""

import random
from collections.abc import Callable

import pytest

from pytest_mipro.optimizer.search.searcher import RandomSearcher, Searcher
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.search.tpe import TPESearcher

MakeSearcher = Callable[[Space, int], Searcher]


@pytest.fixture(params=[RandomSearcher, TPESearcher], ids=["random", "tpe"])
def make(request: pytest.FixtureRequest) -> MakeSearcher:
    return request.param  # type: ignore[no-any-return]


def space(*sizes: int) -> Space:
    return Space(sizes, tuple(f"m{i}.instruction" for i in range(len(sizes))))


def score_of(assignment: Assignment) -> float:
    return random.Random(str(assignment)).random()


def run(searcher: Searcher, trials: int, lag: int = 0) -> list[Assignment]:
    """Ask and tell with `lag` trials pending, telling in trial order."""
    asked: list[Assignment] = []
    for trial in range(trials):
        if trial > lag:
            told = asked[trial - lag - 1]
            searcher.tell(told, score_of(told), 35)
        assignment = searcher.ask()
        if assignment is None:
            break
        asked.append(assignment)
    return asked


@pytest.mark.parametrize("sizes", [(2, 3, 2), (1, 4), (1, 1), (1,), (), (24,)])
@pytest.mark.parametrize("lag", [0, 3])
def test_a_small_space_is_exhausted_without_repeats(
    make: MakeSearcher, sizes: tuple[int, ...], lag: int
) -> None:
    searcher = make(space(*sizes), 0)
    asked = run(searcher, 100, lag)
    assert sorted(asked) == sorted(space(*sizes))
    assert searcher.ask() is None


@pytest.mark.parametrize("lag", [0, 4])
def test_nothing_is_proposed_twice_pending_ones_included(make: MakeSearcher, lag: int) -> None:
    asked = run(make(space(5, 4, 3, 1), 3), 50, lag)
    assert len(asked) == len(set(asked)) == 50
    assert all(assignment in space(5, 4, 3, 1) for assignment in asked)


def test_pending_trials_alone_can_exhaust_the_space(make: MakeSearcher) -> None:
    searcher = make(space(3, 3), 1)
    asked = [searcher.ask() for _ in range(9)]
    assert sorted(a for a in asked if a) == sorted(space(3, 3))
    assert searcher.ask() is None


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_equal_asks_and_tells_give_equal_proposals(make: MakeSearcher, seed: int) -> None:
    wide = space(6, 6, 6, 6)
    assert run(make(wide, seed), 40, lag=3) == run(make(wide, seed), 40, lag=3)


def test_every_seed_is_a_seed_zero_included(make: MakeSearcher) -> None:
    wide = space(9, 9, 9, 9)
    paths = {tuple(run(make(wide, seed), 15)) for seed in (0, 0, 1, 2, 42)}
    assert len(paths) == 4


def test_what_was_told_unasked_is_seen(make: MakeSearcher) -> None:
    searcher = make(space(2, 2), 0)
    searcher.tell((0, 0), 0.5, 100)
    assert sorted(run(searcher, 10)) == [(0, 1), (1, 0), (1, 1)]


def test_a_better_estimate_may_be_told_at_any_time(make: MakeSearcher) -> None:
    searcher = make(space(5, 5, 5), 0)
    asked = run(searcher, 20, lag=2)
    for assignment in asked[:5]:
        searcher.tell(assignment, score_of(assignment) / 2, 150)
    more = [searcher.ask() for _ in range(20)]
    assert len({*asked, *more}) == 40


def test_an_assignment_of_another_space_is_refused(make: MakeSearcher) -> None:
    searcher = make(space(2, 2), 0)
    with pytest.raises(ValueError, match="not an assignment"):
        searcher.tell((0, 2), 0.5, 10)
    with pytest.raises(ValueError, match="not an assignment"):
        searcher.tell((0,), 0.5, 10)


@pytest.mark.parametrize(("score", "weight"), [(float("nan"), 10), (1.5, 10), (0.5, 0)])
def test_what_is_no_score_is_refused(make: MakeSearcher, score: float, weight: float) -> None:
    searcher = make(space(2, 2), 0)
    with pytest.raises(ValueError, match="score in 0…1"):
        searcher.tell((0, 0), score, weight)
    assert len(run(searcher, 10)) == 4  # a refused tell leaves no trace
