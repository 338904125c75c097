"""How the space grows: demos of what passes, late modules, and what the parts switch off."""

from collections.abc import Sequence
from dataclasses import replace as changed

import pytest
from optimizer_world import (
    HARD,
    LATE,
    Played,
    make_rows,
    make_study,
    metric_colour,
    note,
    play,
    polish,
    sort,
    without,
)
from world_model import COLOURS, MODEL, PROPOSER, WorldClient, answer, module_of, own_row, word_of

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.budget.limits import Limit, LimitUsedUpError
from pytest_mipro.optimizer.run.events import CandidatesReady, Decided, ProposalsMade, TrialFinished
from pytest_mipro.runtime.client.contract import Reply, Request
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.signature import Signature

TEACHER = "fake/teacher"


def ready(played: Played, number: int = 0) -> CandidatesReady:
    return played.seen(CandidatesReady)[number]  # type: ignore[no-any-return]


# Demos.


def test_demos_come_of_what_passes_now_more_in_each_round() -> None:
    played = play(HARD, rounds=3, trials=9, parts=without("attempts"), patience=9)
    pools = [ready(played, number).pool["optimizer_world.sort"] for number in range(3)]
    assert pools == sorted(pools)
    before = played.result.baseline.scores()
    rows = [*played.result.split.train, *played.result.split.validation]
    assert pools[0] == sum(before[f"test_hard[{row}]"] == 1 for row in rows)
    assert pools[-1] > pools[0]
    sets = [ready(played, number).demo_sets["optimizer_world.sort"] for number in range(3)]
    assert sets == sorted(sets)
    assert sets[0] > 1


def test_the_empty_set_and_the_committed_one_are_candidates() -> None:
    played = play(rounds=1, candidates=2)
    assert set(ready(played).demo_sets.values()) == {3}  # the committed one is empty here
    assert set(play(rounds=1, candidates=0).seen(CandidatesReady)[0].demo_sets.values()) == {1}


def taught(request: Request) -> str:
    """A teacher that knows all colours."""
    if request.model == TEACHER and module_of(request) == "sort":
        return COLOURS.get(word_of(request.messages[-1].content), "red")
    return answer(changed(request, model=MODEL) if request.model == TEACHER else request)


def test_a_teacher_solves_cases_that_become_demos() -> None:
    alone = play(rounds=1, parts=without("attempts"))
    played = play(client=WorldClient(taught), rounds=1, teacher_model=TEACHER)
    assert ready(played).pool["optimizer_world.sort"] > ready(alone).pool["optimizer_world.sort"]
    asked = played.client.of(TEACHER)
    train = set(played.result.split.train)
    assert asked
    assert {own_row(request) for request in asked} < train
    assert {request.parameters["temperature"] for request in asked} == {1.0}
    scored = played.result.baseline.scores()
    assert all(scored[f"test_colour[{own_row(request)}]"] == 0 for request in asked)
    assert TEACHER not in played.result.models.values()


def test_a_teacher_never_sees_rows_that_lend_no_demos() -> None:
    rows = [changed(row, demo=row.id != "r002") for row in make_rows()]
    played = play(make_study(rows), WorldClient(taught), rounds=1, teacher_model=TEACHER)
    asked = {own_row(request) for request in played.client.of(TEACHER)}
    assert asked
    assert "r002" not in asked


def test_where_demos_are_many_no_further_attempt_is_made() -> None:
    def hot(played: Played) -> list[Request]:
        return [request for request in played.client.of(MODEL) if request.sample >= 1000]

    few = make_study(make_rows(6, 6, 0))
    assert hot(play(few, rounds=1, max_demos=8))
    assert not hot(play(few, rounds=1, max_demos=8, parts=without("attempts")))
    assert not hot(play(rounds=1, max_demos=5))  # as many rows pass


def test_labels_lend_demos_where_nothing_passes() -> None:
    def wrong(request: Request) -> str:
        if request.model == MODEL and module_of(request) == "sort" and len(request.messages) == 2:
            return {"red": "blue"}.get(answer(request), "red")
        return answer(request)

    specs = {"test_colour": {"labels": {"sort": "colour"}}}
    rows = [row for row in make_rows(24, 30, 0) if row.colour != "blue"]
    study = make_study(rows, {"test_colour": metric_colour}, specs)
    played = play(study, WorldClient(wrong), rounds=1, parts=without("attempts"))
    train = {*played.result.split.train, *played.result.split.validation}
    assert ready(played).pool["optimizer_world.sort"] == len(train)
    columns = {row.id: row.colour for row in rows}
    for request in played.client.of(MODEL):
        shown = request.messages[1:-1] if module_of(request) == "sort" else ()
        for user, reply in zip(shown[::2], shown[1::2], strict=True):
            row = user.content.split("[")[1].split("]")[0]
            assert row in train - {own_row(request)}
            assert reply.content == columns[row]


# Instruction-only and demo-only.


def test_without_instructions_demos_alone_are_searched() -> None:
    played = play(parts=without("instructions"))
    assert not played.client.of(PROPOSER)
    assert not played.seen(ProposalsMade)
    assert set(ready(played).instructions.values()) == {1}
    asked = played.client.of(MODEL)
    assert any(len(request.messages) > 2 for request in asked)  # demos stand between
    committed = {prompt.instruction for prompt in played.result.committed.values()}
    assert {r.messages[0].content.partition("\n")[0] for r in asked} == committed


def test_without_demos_instructions_alone_are_searched() -> None:
    played = play(parts=without("demos"))
    assert set(ready(played).demo_sets.values()) == {1}
    assert set(ready(played).pool.values()) == {0}
    assert all(len(request.messages) == 2 for request in played.client.of(MODEL))
    assert played.result.prompts


# Late modules.


def test_a_module_that_only_candidates_reach_is_optimised_too() -> None:
    asked: list[tuple[Signature, ...]] = []
    played = play(
        LATE,
        services={"check_modules": lambda modules: asked.append(tuple(modules))},
        rounds=3,
        trials=12,
    )
    first, *later = played.seen(CandidatesReady)
    assert set(first.instructions) == {"optimizer_world.note", "optimizer_world.sort"}
    assert {"optimizer_world.polish"} < set(later[-1].instructions)
    assert later[-1].instructions["optimizer_world.polish"] > 1
    assert asked == [(note.signature, sort.signature), (polish.signature,)]
    result = played.result
    assert result.signatures == (note.signature, sort.signature, polish.signature)
    paths = {signature.prompt_path for signature in result.signatures}
    assert set(result.prompts) == set(result.committed) == set(result.models) == paths
    assert result.committed[polish.signature.prompt_path].instruction == "Polish the word."
    assert result.models[polish.signature.prompt_path] == MODEL


def test_a_late_module_may_do_without_its_committed_demos() -> None:
    def sets_of_polish(**services: object) -> int:
        settings = {"rounds": 4, "trials": 24, "max_demos": 0, "minibatch_size": 16}
        played = play(LATE, services=services, **settings)
        counts = [event.demo_sets for event in played.seen(CandidatesReady)]
        return int(next(item["optimizer_world.polish"] for item in counts if len(item) == 3))

    def committed(signature: Signature) -> Prompt:
        demos = (Demo("r900", {"word": "elm"}, "elm"),) if signature is polish.signature else ()
        return Prompt(signature.instruction, demos)

    alone = sets_of_polish()
    assert sets_of_polish(load_prompt=committed) == alone + 1  # the committed and the empty set


def test_trials_go_on_in_the_larger_space() -> None:
    played = play(LATE, rounds=3, trials=12)
    widths = [len(trial.assignment) for trial in played.seen(TrialFinished)]
    assert widths == sorted(widths)
    assert set(widths) == {4, 6}
    tried = [trial.assignment for trial in played.seen(TrialFinished) if trial.kind == "minibatch"]
    assert len({(*item, 0, 0)[:6] for item in tried}) == played.result.trials


def test_a_late_module_that_the_edge_refuses_ends_the_study() -> None:
    def check(modules: Sequence[Signature]) -> None:
        if polish.signature in modules:
            raise ConfigurationError("two studies on one module")

    events: list[object] = []
    with pytest.raises(ConfigurationError, match="two studies on one module"):
        play(LATE, services={"check_modules": check, "emit": events.append}, rounds=3, trials=12)
    assert not any(isinstance(event, Decided) for event in events)


def test_a_module_found_before_a_limit_is_among_the_candidates_of_the_leaders() -> None:
    events: list[object] = []

    class Limited(WorldClient):
        """Proposes in the first round alone."""

        async def complete(self, request: Request) -> Reply:
            if request.model == PROPOSER and any(isinstance(it, CandidatesReady) for it in events):
                raise LimitUsedUpError(Limit("calls", 9))
            return await super().complete(request)

    play(LATE, Limited(), {"emit": events.append}, rounds=3, trials=12)
    last = next(it for it in reversed(events) if isinstance(it, CandidatesReady))
    trial = next(it for it in reversed(events) if isinstance(it, TrialFinished))
    assert trial.kind == "full"
    assert len(trial.assignment) == 2 * len(last.offered) == 6
