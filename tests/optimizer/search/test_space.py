"""The space of a search, and what share of the calls a change in it makes anew."""

import pytest

from pytest_mipro.optimizer.search.space import ALL_CALLS, NO_CALLS, CallShare, Space

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
# Four calls a case: `a`, `b` twice, `c`. A change of `a` may make all anew, one of `c` its own.
SHARES = CallShare(0.25, 1.0), CallShare(0.5, 0.75), CallShare(0.25, 0.25)
CHAIN = Space((3,) * 6, PARTS, shares=SHARES)
BASE = (0,) * 6


def test_a_dimension_is_named_by_its_module_and_its_kind() -> None:
    assert CHAIN.modules == tuple("aabbcc")
    assert CHAIN.kinds == ("instruction", "demos") * 3


@pytest.mark.parametrize(
    ("assignment", "least", "most"),
    [
        (BASE, 0.0, 0.0),
        ((0, 0, 0, 0, 0, 1), 0.25, 0.25),
        ((0, 0, 0, 0, 2, 1), 0.25, 0.25),
        ((1, 0, 0, 0, 0, 0), 0.25, 1.0),
        ((1, 0, 0, 0, 0, 1), 0.5, 1.0),
        ((0, 1, 1, 0, 0, 1), 1.0, 1.0),
    ],
)
def test_a_changed_modules_own_calls_are_new_and_maybe_those_after_it(
    assignment: tuple[int, ...], least: float, most: float
) -> None:
    share = CHAIN.new_share(assignment, [BASE])
    assert share == CallShare(least, most)
    assert share.expected == (least + most) / 2


def test_the_measured_program_most_like_it_counts() -> None:
    late = CHAIN.new_share((1, 0, 0, 0, 0, 1), [BASE, (1, 0, 0, 0, 0, 0)])
    assert late == CallShare(0.25, 0.25)
    assert CHAIN.new_share(BASE, []) == ALL_CALLS


def test_without_shares_any_change_makes_all_calls_anew() -> None:
    space = Space(CHAIN.sizes, PARTS)
    assert space.new_share((0, 0, 0, 0, 0, 1), [BASE]) == ALL_CALLS
    assert space.new_share(BASE, [BASE]) == NO_CALLS


def test_modules_called_at_once_are_never_more_than_all_calls() -> None:
    both = Space((2,) * 4, PARTS[:4], shares=(CallShare(0.6, 1.0), CallShare(0.6, 1.0)))
    assert both.new_share((1, 0, 1, 0), [BASE[:4]]) == ALL_CALLS


def test_the_order_of_modules_does_not_move_a_share_by_a_bit() -> None:
    """0.1 + 0.2 + 0.3 is another float than 0.3 + 0.2 + 0.1."""
    shares = tuple(CallShare(share, share) for share in (0.1, 0.2, 0.3))
    new = (1,) * 6
    one = Space(CHAIN.sizes, PARTS, shares=shares).new_share(new, [BASE])
    assert one == Space(CHAIN.sizes, PARTS, shares=shares[::-1]).new_share(new, [BASE])


def test_branches_that_never_meet_in_a_case_add_up() -> None:
    """`a` or `b`, half of the cases each, then `c`: a change of both makes all calls anew."""
    router = CallShare(0.25, 0.5), CallShare(0.25, 0.5), CallShare(0.5, 0.5)
    space = Space(CHAIN.sizes, PARTS, shares=router)
    assert space.new_share((1, 0, 1, 0, 0, 0), [BASE]) == CallShare(0.5, 1.0)


def test_a_module_has_calls() -> None:
    with pytest.raises(ValueError, match="makes calls anew"):
        Space(CHAIN.sizes, PARTS, shares=(ALL_CALLS, ALL_CALLS, NO_CALLS))


def test_shares_are_one_a_module() -> None:
    with pytest.raises(ValueError, match="one share of calls a module"):
        Space(CHAIN.sizes, PARTS, shares=(CallShare(1.0, 1.0),))


@pytest.mark.parametrize("shares", [(-0.1, 1.0), (0.6, 0.5), (0.5, 1.1)])
def test_a_share_that_is_none_is_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 <= least <= most <= 1"):
        CallShare(*shares)
