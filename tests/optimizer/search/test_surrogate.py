"""The surrogate: what is believed of programs that were and were not measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.search.surrogate import Belief, Surrogate, trusted_weight

FLAT = Space((4, 4), ("0:m.instruction", "0:m.demos"))
BASE = {(0, 0): (0.5, 100.0)}


def means(
    estimates: dict[Assignment, tuple[float, float]], *asked: Assignment, space: Space = FLAT
) -> list[float]:
    return Surrogate(space, estimates).means(asked)


def test_an_estimate_counts_by_its_rows() -> None:
    few, many = means({**BASE, (1, 0): (0.8, 4), (2, 0): (0.7, 100)}, (1, 0), (2, 0))
    assert 0.5 < few < many < 0.7


def test_what_a_choice_brought_beside_one_partner_counts_beside_others() -> None:
    known = {**BASE, (1, 0): (0.7, 50), (0, 1): (0.6, 50), (0, 2): (0.4, 50)}
    both, good, bad = means(known, (1, 1), (1, 0), (1, 2))
    assert both > good > bad > 0.5


def test_a_choice_is_believed_like_the_one_that_it_was_made_from() -> None:
    known = {**BASE, (1, 0): (0.8, 50)}
    lineage = Space(FLAT.sizes, FLAT.names, ((0, 0, 1, 0), (0, 0, 0, 0)))
    child, stranger, elsewhere = means(known, (2, 0), (3, 0), (0, 1), space=lineage)
    assert child > stranger > elsewhere  # where a new choice has helped, others are likely to


def test_what_is_hoped_of_a_child_gives_way_to_rows_that_tell_much() -> None:
    lineage = Space(FLAT.sizes, FLAT.names, ((0, 0, 1, 0), (0, 0, 1, 0)))
    rows = {(0, 0): (0.45, 48), (0, 1): (0.8, 12), (1, 1): (0.83, 18), (2, 2): (0.74, 12)}

    def parent_and_child(row_weight: float) -> list[float]:
        weighted = {program: (score, row_weight * n) for program, (score, n) in rows.items()}
        return means(weighted, (1, 1), (2, 2), space=lineage)

    parent, child = parent_and_child(1.0)
    assert child > parent
    parent, child = parent_and_child(4.0)
    assert parent > child


LIFTS = {(0, 0): 0.0, (1, 0): 0.3, (0, 1): 0.1, (2, 1): 0.25, (0, 2): -0.1, (3, 0): -0.1}


@pytest.mark.parametrize(
    ("scale", "row_weight", "trusted"),
    [
        (1.0, 4.0, 4.0),  # large effects, by rows that scatter half as much as pass or fail
        (1.0, 1.0, 1.0),
        (1.0, 0.8, 1.0),
        (0.5, 4.0, 1.0),  # a metric of half the scale: all is half as large
        (0.25, 16.0, 1.0),
        (0.0, 4.0, 1.0),
    ],
)
def test_rows_are_trusted_so_far_as_effects_are_large_beside_their_scatter(
    scale: float, row_weight: float, trusted: float
) -> None:
    told = {item: (0.5 + scale * lift, 12.0) for item, lift in LIFTS.items()}
    assert trusted_weight(FLAT, told, row_weight) == pytest.approx(trusted)


def test_between_the_two_a_part_is_trusted() -> None:
    told = {item: (0.5 + 0.5 * lift, 12.0) for item, lift in LIFTS.items()}
    assert 1 < trusted_weight(FLAT, told, 16.0) < 16
    assert trusted_weight(FLAT, {}, 16.0) == 1.0


NUMBERED = Space(FLAT.sizes, FLAT.names, demos=((0,) * 4, (0, 4, 32, 64)))


def test_sets_of_about_as_many_demos_are_believed_alike() -> None:
    few, many, more = means({**BASE, (0, 2): (0.8, 50)}, (0, 1), (0, 2), (0, 3), space=NUMBERED)
    assert 0.5 < few < more < many
    (unnumbered,) = means({**BASE, (0, 2): (0.8, 50)}, (0, 3))
    assert unnumbered < more


def test_what_more_demos_lose_is_expected_of_still_more() -> None:
    known = {**BASE, (0, 1): (0.7, 50), (0, 2): (0.4, 50)}
    few, many, more = means(known, (0, 1), (0, 2), (0, 3), space=NUMBERED)
    assert few > more > many
    (hoped,) = means({**BASE, (0, 1): (0.7, 50)}, (0, 3), space=NUMBERED)
    assert hoped > 0.55 > more


def test_any_other_set_is_about_as_uncertain_as_another_instruction() -> None:
    shifted = Space(FLAT.sizes, FLAT.names, demos=((0,) * 4, (32, 32, 33, 2)))
    same, near, far = Surrogate(shifted, BASE).beliefs([(0, 1), (0, 2), (0, 3)])
    (instruction,) = Surrogate(shifted, BASE).beliefs([(1, 0)])
    assert [same.spread, near.spread, far.spread] == pytest.approx(
        [instruction.spread] * 3, rel=0.02
    )


def test_sets_of_one_number_are_as_uncertain_as_instructions() -> None:
    alike = Space(FLAT.sizes, FLAT.names, demos=((0,) * 4, (8,) * 4))
    instruction, demos = Surrogate(alike, BASE).beliefs([(1, 0), (0, 1)])
    assert demos == instruction


def test_what_is_under_way_is_less_of_a_surprise() -> None:
    free = Surrogate(FLAT, BASE).beliefs([(1, 0), (2, 0)])
    taken = Surrogate(FLAT, BASE, pending=[(1, 0)]).beliefs([(1, 0), (2, 0)])
    assert [item.mean for item in taken] == [item.mean for item in free]
    assert taken[0].spread < free[0].spread
    assert taken[1].spread < free[1].spread  # the two have something in common


def test_without_estimates_all_is_possible() -> None:
    (belief,) = Surrogate(FLAT, {}).beliefs([(1, 1)])
    assert belief.mean == 0
    assert belief.spread > 0.1
    assert Surrogate(FLAT, {}).means([]) == []


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(-1, 1))
def test_the_expected_improvement_is_no_loss_and_no_less_than_that_of_the_mean(
    mean: float, spread: float, best: float
) -> None:
    gain = Belief(mean, spread).improvement(best)
    assert gain >= max(0.0, mean - best) - 1e-9
    assert Belief(mean, spread + 0.1).improvement(best) >= gain - 1e-9


def test_a_sure_belief_improves_by_its_mean() -> None:
    assert Belief(0.7, 0.0).improvement(0.5) == pytest.approx(0.2)
    assert Belief(0.4, 0.0).improvement(0.5) == 0
