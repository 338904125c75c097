"""The space of a search, and what share of the calls a change in it makes anew."""

import pytest

from pytest_mipro.optimizer.search.space import CallShare, Space

SPACE = Space((2, 3), ("a", "b"))


def test_a_space_counts_lists_and_knows_its_assignments() -> None:
    assert SPACE.count == 6
    assert list(SPACE) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert (1, 2) in SPACE
    for stranger in [(2, 0), (0, -1), (0,), (0, 1, 0), [0, 1], (0, 1.0), "01"]:
        assert stranger not in SPACE


def test_a_space_without_dimensions_has_one_assignment() -> None:
    assert list(Space((), ())) == [()]
    assert Space((), ()).count == 1


@pytest.mark.parametrize(
    ("sizes", "names"), [((2, 0), ("a", "b")), ((2,), ("a", "b")), ((2, 2), ("a", "a"))]
)
def test_a_broken_space_is_refused(sizes: tuple[int, ...], names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="dimension"):
        Space(sizes, names)


PARTS = tuple(f"{module}.{part}" for module in "abc" for part in ("instruction", "demos"))
# Three calls a case, one after the other: a change of `a` may make all anew, one of `c` its own.
CHAIN = Space(
    (3,) * 6,
    PARTS,
    shares=(CallShare(1 / 3, 1.0), CallShare(1 / 3, 2 / 3), CallShare(1 / 3, 1 / 3)),
)
BASE = (0,) * 6


def test_a_dimension_is_named_by_its_module_and_its_kind() -> None:
    assert CHAIN.modules == tuple("aabbcc")
    assert CHAIN.kinds == ("instruction", "demos") * 3


@pytest.mark.parametrize(
    ("assignment", "share"),
    [
        (BASE, 0.0),
        ((0, 0, 0, 0, 0, 1), 1 / 3),
        ((0, 0, 0, 0, 2, 1), 1 / 3),
        ((1, 0, 0, 0, 0, 0), (1 / 3 + 1) / 2),
        ((1, 0, 0, 0, 0, 1), (2 / 3 + 1) / 2),
        ((1, 0, 1, 0, 0, 1), 1.0),
    ],
)
def test_a_changed_modules_own_calls_are_new_and_half_of_those_after_it(
    assignment: tuple[int, ...], share: float
) -> None:
    assert CHAIN.new_share(assignment, [BASE]) == pytest.approx(share)


def test_the_measured_program_most_like_it_counts() -> None:
    assert CHAIN.new_share((1, 0, 0, 0, 0, 1), [BASE, (1, 0, 0, 0, 0, 0)]) == pytest.approx(1 / 3)
    assert CHAIN.new_share(BASE, []) == 1.0


def test_without_shares_any_change_makes_all_calls_anew() -> None:
    space = Space(CHAIN.sizes, PARTS)
    assert space.new_share((0, 0, 0, 0, 0, 1), [BASE]) == 1.0
    assert space.new_share(BASE, [BASE]) == 0.0


def test_modules_called_at_once_are_never_more_than_all_calls() -> None:
    both = Space((2,) * 4, PARTS[:4], shares=(CallShare(0.6, 1.0), CallShare(0.6, 1.0)))
    assert both.new_share((1, 0, 1, 0), [BASE[:4]]) == 1.0


def test_shares_are_one_a_module() -> None:
    with pytest.raises(ValueError, match="one share of calls a module"):
        Space(CHAIN.sizes, PARTS, shares=(CallShare(1.0, 1.0),))


@pytest.mark.parametrize("shares", [(0.0, 1.0), (0.6, 0.5), (0.5, 1.1)])
def test_a_share_that_is_none_is_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 < least <= most <= 1"):
        CallShare(*shares)
