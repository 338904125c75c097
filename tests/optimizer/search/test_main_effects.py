"""Main effects: what lifts in different modules comes together in one assignment."""

from made_runs import assessed

from pytest_mipro.optimizer.search.credit_assignment import composed

INCUMBENT = (0, 0, 0)


BASE = assessed(INCUMBENT, 0.5)


def test_what_lifts_in_each_dimension_is_merged() -> None:
    known = [BASE, assessed((1, 0, 0), 0.6), assessed((0, 2, 0), 0.7), assessed((0, 0, 1), 0.4)]
    assert composed(known, INCUMBENT) == (1, 2, 0)


def test_of_two_choices_the_better_one_is_taken() -> None:
    known = [BASE, assessed((1, 0, 0), 0.55), assessed((2, 0, 0), 0.65)]
    assert composed(known, INCUMBENT) == (2, 0, 0)


def test_a_choice_that_was_with_the_lift_once_and_without_it_once_loses_to_the_other() -> None:
    known = [BASE, assessed((1, 1, 0), 0.7), assessed((1, 0, 0), 0.7), assessed((0, 1, 0), 0.3)]
    assert composed(known, INCUMBENT) == (1, 0, 0)


def test_few_rows_prove_less_than_many() -> None:
    known = [BASE, assessed((1, 0, 0), 0.7, rows=2), assessed((2, 0, 0), 0.65, rows=80)]
    assert composed(known, INCUMBENT) == (2, 0, 0)


def test_without_anything_that_lifts_the_incumbent_stays() -> None:
    assert composed([BASE], INCUMBENT) == INCUMBENT
    assert composed([BASE, assessed((1, 1, 1), 0.4)], INCUMBENT) == INCUMBENT
