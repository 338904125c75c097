"""Looks at the holdout: which finalists count as one, by what digest, and what is noted."""

from concluded import BETTER, NOTE, SORT, WORSE, concluded
from optimizer_world import baseline_of, make_rows, make_study
from world_model import WorldClient

from pytest_mipro.optimizer.deciding.conclude import conclude, program_digest
from pytest_mipro.optimizer.deciding.finalist import Finalist
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt


def test_holdout_uses_count_distinct_finalists() -> None:
    digest = program_digest(BETTER)
    assert concluded(BETTER, finalists_shown=(digest,)).holdout_uses == 1
    end = concluded(
        BETTER,
        finalists_shown=(
            "a",
            "b",
        ),
    )
    assert end.holdout_uses == 3
    assert "look 3 at this holdout" in end.reason


def test_holdout_uses_whose_finalists_are_not_known_count_too() -> None:
    digest = program_digest(BETTER)
    for shown, uses in ((("a",), 8), ((digest,), 7)):
        services = {"earlier_holdout_uses": 6, "finalists_shown": shown}
        with baseline_of(services=services) as (run, baseline):
            end = conclude(run, baseline, Finalist(BETTER, 3))
            assert end.holdout_uses == uses


def test_a_look_is_noted_before_the_holdout_is_shown_the_finalist() -> None:
    client = WorldClient()
    noted: list[tuple[str, int]] = []

    def record_holdout_use(finalist: str) -> tuple[str, ...]:
        noted.append((finalist, len(client.requests)))
        return (finalist,)

    with baseline_of(client=client, services={"record_holdout_use": record_holdout_use}) as (
        run,
        baseline,
    ):
        before = len(client.requests)
        conclude(run, baseline, Finalist(BETTER, 3))
    assert noted == [(program_digest(BETTER), before)]
    assert len(client.requests) > before


def test_a_look_of_another_run_meanwhile_comes_before() -> None:
    services = {"record_holdout_use": lambda finalist: ("of another run", finalist)}
    end = concluded(BETTER, services=services)
    assert end.holdout_uses == 2
    assert "(look 2 at this holdout)" in end.reason


def test_without_a_holdout_there_is_no_holdout_use() -> None:
    noted: list[str] = []
    study = make_study(make_rows(12, 14, 0))
    with baseline_of(study, services={"record_holdout_use": noted.append}) as (run, baseline):
        assert conclude(run, baseline, Finalist(BETTER, 1)).holdout_uses == 0
    assert noted == []


def test_the_digest_names_the_prompts_wherever_the_repo_lies() -> None:
    digest = program_digest(BETTER)
    moved = {path.parent.parent / "elsewhere" / path.name: p for path, p in BETTER.items()}
    assert program_digest(moved) == program_digest(dict(reversed(BETTER.items()))) == digest
    demo = Demo("r000", {"text": "x"}, "y")
    others = [
        WORSE,
        {NOTE: BETTER[SORT], SORT: BETTER[NOTE]},
        {**BETTER, NOTE: Prompt(BETTER[NOTE].instruction, (demo,))},
        {SORT: BETTER[SORT]},
    ]
    assert len({digest, *map(program_digest, others)}) == 5


def test_a_finalist_that_is_measured_again_keeps_the_level_of_its_look() -> None:
    shown = (program_digest(BETTER), "a later finalist")
    end = concluded(BETTER, finalists_shown=shown)
    assert end.holdout_uses == 2
    assert "96 % lower bound" in end.reason
    assert "(look 1 at this holdout)" in end.reason
