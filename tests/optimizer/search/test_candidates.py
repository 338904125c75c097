"""Candidates: the space they span, the programs of its assignments, and what is tried first."""

import pytest
from optimizer_world import note, sort

from pytest_mipro.optimizer.search.candidates import Candidates, committed_candidates, extended
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
COMMITTED = committed_candidates(
    (note.signature, sort.signature),
    {NOTE: Prompt("note it", (Demo("a", {"text": "a"}, "A"),)), SORT: Prompt("sort it")},
)


def grown(
    known: Candidates, *parts: tuple[tuple[str, ...], tuple[tuple[Demo, ...], ...]]
) -> Candidates:
    return Candidates(
        tuple(extended(module, *part) for module, part in zip(known.modules, parts, strict=True))
    )


def demos(*rows: str) -> tuple[Demo, ...]:
    return tuple(Demo(row, {"text": [row]}, {"k": row}) for row in rows)


def test_the_committed_prompts_are_index_zero_of_every_dimension() -> None:
    larger = grown(COMMITTED, (("n1", "n2"), ((),)), (("s1",), (demos("b"), demos("c"))))
    assert larger.committed == (0, 0, 0, 0)
    assert larger.program(larger.committed) == COMMITTED.program((0, 0, 0, 0))
    assert larger.space.sizes == (3, 2, 2, 3)
    assert COMMITTED.space.sizes == (1, 1, 1, 1)
    assert larger.space.demos == ((0, 0, 0), (1, 0), (0, 0), (0, 1, 1))
    assert larger.space.names == (
        "0:optimizer_world.note.instruction",
        "0:optimizer_world.note.demos",
        "1:optimizer_world.sort.instruction",
        "1:optimizer_world.sort.demos",
    )


def test_an_assignment_names_instruction_and_demos_of_each_module_in_order() -> None:
    larger = grown(COMMITTED, (("n1", "n2"), ((),)), (("s1",), (demos("b"), demos("c"))))
    assert larger.program((2, 1, 1, 2)) == {
        NOTE: Prompt("n2"),
        SORT: Prompt("s1", demos("c")),
    }


def test_what_is_there_already_is_no_new_candidate() -> None:
    larger = grown(
        COMMITTED,
        (("note it", "n1", "n1"), (COMMITTED.modules[0].demo_sets[0], demos("b"), demos("b"))),
        ((), ((), demos("b", "c"), demos("c", "b"))),
    )
    assert larger.modules[0].instructions == ("note it", "n1")
    assert len(larger.modules[0].demo_sets) == 2
    assert larger.modules[1].demo_sets == ((), demos("b", "c"), demos("c", "b"))
    again = extended(larger.modules[0], ("n1",), (demos("b"),))
    assert again == larger.modules[0]


def test_a_choice_knows_what_it_was_made_from() -> None:
    module = extended(COMMITTED.modules[0], ("n1",), (demos("b"),))
    later = extended(module, ("n1", "n2"), (demos("c"), demos("d")), (1, 1))
    assert later.instructions == ("note it", "n1", "n2")
    assert later.origins == ((0, 0, 1), (0, 0, 1, 1))
    space = Candidates((later, COMMITTED.modules[1])).space
    assert space.origins == (*later.origins, (0,), (0,))


TWO = grown(
    COMMITTED,
    (("n1", "n2"), (demos("b"), demos("c", "d"))),
    (("s1", "s2"), (demos("b", "c"), demos("b"))),
)


@pytest.mark.parametrize(
    ("tried", "left"),
    [
        ([], True),
        ([(0, 1, 0, 1), (0, 2, 0, 2), (1, 0, 0, 0)], True),  # not both at once
        ([(0, 1, 0, 1), (0, 2, 0, 2), (1, 1, 0, 0)], True),  # no instruction alone
        ([(0, 1, 0, 1), (1, 0, 0, 0), (1, 1, 0, 2)], True),  # never two demos of the first
        ([(1, 0, 0, 0), (1, 1, 0, 1), (1, 2, 0, 2)], True),  # no demos alone
        ([(0, 1, 0, 1), (1, 0, 0, 0), (1, 2, 0, 2)], False),
    ],
)
def test_a_kind_of_move_is_untried_until_each_had_its_turn(
    tried: list[Assignment], left: bool
) -> None:
    assert TWO.untried([COMMITTED.committed, *tried]) == left


def test_without_instructions_or_demos_the_other_moves_are_enough() -> None:
    only_demos = grown(COMMITTED, ((), (demos("b"),)), ((), ()))
    assert only_demos.untried([(0, 0, 0, 0)])
    assert not only_demos.untried([(0, 0, 0, 0), (0, 1, 0, 0)])
    only_instructions = grown(COMMITTED, (("n1",), ()), ((), ()))
    assert only_instructions.untried([(0, 0, 0, 0)])
    assert not only_instructions.untried([(0, 0, 0, 0), (1, 0, 0, 0)])
    assert not COMMITTED.untried([(0, 0, 0, 0)])
