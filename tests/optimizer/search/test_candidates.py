"""Candidates: the space they span, the programs of its assignments, and what is tried first."""

from hypothesis import given
from hypothesis import strategies as st
from optimizer_world import note, sort

from pytest_mipro.optimizer.search.candidates import Candidates, committed_candidates, extended
from pytest_mipro.optimizer.search.searcher import Assignment
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


counts = st.integers(0, 4)


@given(st.tuples(counts, counts, counts, counts), st.tuples(counts, counts, counts, counts))
def test_every_new_candidate_is_tried_before_the_searcher_chooses(
    first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    known, incumbent = COMMITTED, COMMITTED.committed
    for turn, sizes in enumerate((first, second)):
        larger = grown(known, *(_new(turn, sizes[i], sizes[i + 1]) for i in (0, 2)))
        tried = larger.first(incumbent, known)
        assert len(set(tried)) == len(tried)
        assert all(assignment in larger.space for assignment in tried)
        assert incumbent not in tried
        for dimension, (old, new) in enumerate(
            zip(known.space.sizes, larger.space.sizes, strict=True)
        ):
            assert {row[dimension] for row in tried} >= set(range(old, new))
        known, incumbent = larger, _last(larger)


def _new(turn: int, instructions: int, sets: int) -> tuple[tuple[str, ...], tuple[object, ...]]:
    return (
        tuple(f"{turn}.{n}" for n in range(instructions)),
        tuple(demos(*(f"{turn}{n}{k}" for k in range(n + 1))) for n in range(sets)),
    )


def _last(candidates: Candidates) -> Assignment:
    return tuple(size - 1 for size in candidates.space.sizes)


def test_plain_few_shot_with_the_largest_sets_comes_first() -> None:
    larger = grown(
        COMMITTED,
        (("n1",), (demos("b"), demos("c", "d"))),
        (("s1",), (demos("b", "c", "d"), demos("b"))),
    )
    assert larger.first(COMMITTED.committed, COMMITTED)[0] == (0, 2, 0, 1)


def test_without_anything_new_nothing_is_wanted() -> None:
    assert COMMITTED.first(COMMITTED.committed, COMMITTED) == ()
