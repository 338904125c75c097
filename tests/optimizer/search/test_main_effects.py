"""Main effects: what each choice lifts, beside whatever partners it was measured with."""

import pytest
from made_runs import assessed

from pytest_mipro.optimizer.search.credit_assignment import main_effects

BASE = assessed((0, 0, 0), 0.5)


def effects(*known: object) -> dict[tuple[int, int], float]:
    return main_effects([BASE, *known], (0, 0, 0))  # type: ignore[list-item]


def test_each_choice_has_the_lift_that_it_was_measured_with() -> None:
    found = effects(assessed((1, 0, 0), 0.6), assessed((0, 2, 0), 0.7), assessed((0, 0, 1), 0.4))
    assert found.keys() == {(0, 1), (1, 2), (2, 1)}
    assert found[1, 2] > found[0, 1] > 0 > found[2, 1]


def test_a_lift_is_credited_to_the_choice_that_it_came_with() -> None:
    found = effects(
        assessed((1, 0, 1), 0.8, rows=60),
        assessed((1, 0, 0), 0.5, rows=60),
        assessed((0, 0, 1), 0.8, rows=60),
    )
    assert found[2, 1] > 0.2
    assert abs(found[0, 1]) < 0.03


def test_few_rows_prove_less_than_many() -> None:
    found = effects(assessed((1, 0, 0), 0.7, rows=2), assessed((2, 0, 0), 0.65, rows=80))
    assert 0 < found[0, 1] < found[0, 2] < 0.15


def test_without_anything_measured_beside_the_base_there_are_none() -> None:
    assert effects() == {}
    with pytest.raises(StopIteration):
        main_effects([assessed((1, 0, 0), 0.7)], (0, 0, 0))
