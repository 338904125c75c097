"""What TPE adds to the contract: it learns, weighs estimates by their rows, and stays quiet."""

import logging
import random
import statistics
from dataclasses import replace
from logging.handlers import BufferingHandler

import optuna

from pytest_mipro.optimizer.search.searcher import RandomSearcher, Searcher
from pytest_mipro.optimizer.search.space import Assignment, CallShare, Space
from pytest_mipro.optimizer.search.tpe import TPESearcher

MODULES = Space((8, 6) * 3, tuple(f"{m}.{kind}" for m in "abc" for kind in ("prompt", "demos")))


def true_score(assignment: Assignment) -> float:
    """Three modules whose good instructions pay most beside one another, and demos that help."""
    a, a_demos, b, b_demos, c, c_demos = assignment
    instructions = 0.06 * ((a == 3) + (b == 3) + (c == 3))
    together = 0.1 * (a == b == 3) + 0.1 * (b == c == 3)
    return 0.3 + instructions + together + 0.04 * (a_demos + b_demos + c_demos) / 5


def best_found(searcher: Searcher, seed: int, trials: int = 60, rows: int = 35) -> float:
    """Return the true score of the assignment with the best noisy estimate."""
    noise = random.Random(f"noise {seed}")
    seen = []
    for _ in range(trials):
        assignment = searcher.ask()
        assert assignment is not None
        true = true_score(assignment)
        score = sum(noise.random() < true for _ in range(rows)) / rows
        searcher.tell(assignment, score, rows)
        seen.append((score, true))
    return max(seen)[1]


def test_tpe_beats_random_on_interacting_modules_under_noise() -> None:
    seeds = range(8)
    tpe = statistics.mean(best_found(TPESearcher(MODULES, seed), seed) for seed in seeds)
    rand = statistics.mean(best_found(RandomSearcher(MODULES, seed), seed) for seed in seeds)
    assert tpe > rand + 0.03


def test_a_full_evaluation_outweighs_a_lucky_minibatch() -> None:
    """Equal scores, but one half of the space is told on 2 rows and the other on 200."""
    space = Space((2, 40), ("a", "b"))
    proposals: list[Assignment] = []
    for seed in range(10):
        searcher = TPESearcher(space, seed, startup=5)
        for choice in range(10):
            searcher.tell((0, choice), 0.9, 2)
            searcher.tell((1, choice), 0.8, 200)
        for choice in range(10, 20):
            searcher.tell((choice % 2, choice), 0.3, 200)
        proposals += [assignment for _ in range(5) if (assignment := searcher.ask())]
    assert statistics.mean(assignment[0] for assignment in proposals) > 0.6


def test_re_told_estimates_replace_the_first() -> None:
    """More rows turn the halves round, with the same mean over all: TPE goes to the other one."""
    share = {}
    for corrected in (False, True):
        proposals: list[Assignment] = []
        for seed in range(10):
            searcher = TPESearcher(Space((2, 60), ("a", "b")), seed, startup=5)
            for choice in range(20):
                searcher.tell((choice % 2, choice), 0.8 if choice % 2 else 0.4, 35)
            searcher.ask()  # from here on only the corrections can bring the surrogate up to date
            for choice in range(20 if corrected else 0):
                searcher.tell((choice % 2, choice), 0.4 if choice % 2 else 0.8, 35)
            proposals += [assignment for _ in range(5) if (assignment := searcher.ask())]
        share[corrected] = statistics.mean(assignment[0] for assignment in proposals)
    assert share[False] > 0.6
    assert share[True] < 0.4


def test_pending_trials_survive_a_correction() -> None:
    space = Space((4, 4, 4), ("a", "b", "c"))
    searcher = TPESearcher(space, 0, startup=3)
    asked = [searcher.ask() for _ in range(8)]
    assignments = [assignment for assignment in asked if assignment is not None]
    for assignment in assignments[:4]:
        searcher.tell(assignment, 0.4, 20)
    searcher.tell(assignments[0], 0.9, 150)  # forces the study to be rebuilt at the next ask
    asked.append(searcher.ask())
    for assignment in assignments[4:]:
        searcher.tell(assignment, 0.6, 20)
    rest = []
    while (assignment_or_none := searcher.ask()) is not None:
        rest.append(assignment_or_none)
    assert len({*asked, *rest}) == 64


def asked_first(space: Space, told: dict[Assignment, float]) -> set[Assignment]:
    """Return what is asked first under any of ten seeds, before TPE guides."""
    found = set()
    for seed in range(10):
        searcher = TPESearcher(space, seed, startup=50)
        for assignment, score in told.items():
            searcher.tell(assignment, score, 100)
        found.add(searcher.ask())
    assert None not in found
    return {assignment for assignment in found if assignment}


KINDS = Space((3,) * 4, tuple(f"{m}.{kind}" for m in "ab" for kind in ("instruction", "demos")))
PLAIN = Space((4, 4), ("a.instruction", "a.demos"))


def test_where_little_is_known_all_is_renewed_at_once() -> None:
    assert asked_first(KINDS, {(0, 0, 0, 0): 0.5}) == {(1, 1, 1, 1)}


def test_where_new_demos_have_failed_only_instructions_are_renewed() -> None:
    failed = {(0, 1, 0, 0): 0.2, (0, 0, 0, 1): 0.2}
    assert asked_first(KINDS, {(0, 0, 0, 0): 0.5, **failed}) == {(1, 0, 1, 0)}


def test_a_module_whose_choices_failed_is_left_and_the_other_is_renewed_alone() -> None:
    failed = {(1, 0, 0, 0): 0.2, (0, 1, 0, 0): 0.2}
    assert asked_first(KINDS, {(0, 0, 0, 0): 0.5, **failed}) == {(0, 0, 1, 1)}


def test_a_change_of_a_late_module_goes_first_as_calls_before_it_are_cached() -> None:
    """The second of two calls costs half of a program's; one choice alone is expected less of."""
    chain = replace(KINDS, shares=(CallShare(0.5, 1.0), CallShare(0.5, 0.5)))
    assert asked_first(chain, {(0, 0, 0, 0): 0.5}) == {(0, 0, 1, 1)}
    even = replace(KINDS, shares=(CallShare(1.0, 1.0), CallShare(1.0, 1.0)))
    assert asked_first(even, {(0, 0, 0, 0): 0.5}) == {(1, 1, 1, 1)}


def test_two_choices_that_each_helped_are_joined_in_a_neighbour_of_the_best() -> None:
    space = Space((3, 3), PLAIN.names)
    helped = {(1, 0): 0.71, (0, 1): 0.7}
    assert asked_first(space, {(0, 0): 0.5, **helped, (2, 0): 0.2, (0, 2): 0.2}) == {(1, 1)}


def test_a_choice_made_from_the_best_goes_before_others() -> None:
    lineage = Space((4,), ("a.instruction",), ((0, 0, 0, 1),))
    assert asked_first(lineage, {(0,): 0.5, (1,): 0.8}) == {(3,)}


def test_what_is_under_way_is_counted_as_known_soon() -> None:
    """Of each pair of choices the sum is known: the trial of one tells of the other, too."""
    known = {(0, 0): 0.5, (1, 1): 0.4, (2, 2): 0.4, (3, 3): 0.4}
    for seed in range(20):
        searcher = TPESearcher(PLAIN, seed, startup=50)
        for assignment, score in known.items():
            searcher.tell(assignment, score, 100)
        one, other = searcher.ask(), searcher.ask()
        assert one is not None
        assert other is not None
        assert min(one) == min(other) == 0
        assert max(one) != max(other)


def test_the_users_optuna_log_level_is_left_alone_and_nothing_is_logged() -> None:
    handler = BufferingHandler(100)
    logger = logging.getLogger("optuna")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.INFO)
    logger.addHandler(handler)
    try:
        best_found(TPESearcher(MODULES, 0), 0, trials=15)
        assert optuna.logging.get_verbosity() == logging.INFO
    finally:
        logger.removeHandler(handler)
        optuna.logging.set_verbosity(before)
    assert handler.buffer == []
