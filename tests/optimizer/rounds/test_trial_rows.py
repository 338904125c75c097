"""The rows of trials: one draw for a round, every test in it; repeats in full evaluations alone."""

from dataclasses import replace

from optimizer_world import make_rows, make_study, metric_colour, play, trials_of
from world_model import MODEL, WorldClient, own_row

from pytest_mipro.optimizer.run.events import (
    LeaderKnown,
    StageProgress,
    StageStarted,
    TrialFinished,
)


def test_the_trials_of_a_round_share_their_rows_and_rounds_draw_others() -> None:
    rows: list[set[str]] = []
    client = WorldClient()

    def emit(event: object) -> None:
        if isinstance(event, TrialFinished):
            if event.kind == "minibatch":
                rows.append({own_row(r) for r in client.requests if r.model == MODEL})
            del client.requests[:]
        elif isinstance(event, StageStarted):
            del client.requests[:]

    play(
        client=client,
        services={"emit": emit},
        in_flight=1,
        leaders=0,
        training_rows=0,
        minibatch_size=4,
    )
    assert [len(batch) for batch in rows[:3]] == [4] * 3
    assert rows[0] == rows[1] == rows[2]
    assert rows[3] < rows[4] == rows[5] != rows[0]  # the leader runs on what is new to it
    assert not rows[3] & rows[0]
    assert set().union(*rows) <= {f"r{n:03}" for n in range(12, 28)}
    assert len(set().union(*rows)) <= 8  # the others are kept for the leaders


def test_where_the_minibatch_holds_all_rows_each_trial_is_full() -> None:
    for size in (16, 17, 1000):
        trials = trials_of(play(minibatch_size=size))
        assert len(trials) >= 6
        assert {trial.kind for trial in trials} == {"full"}
        assert all(trial.rows == 16 for trial in trials)


def test_every_test_of_the_study_is_in_each_minibatch() -> None:
    rows = make_rows()
    study = make_study(rows, {"test_colour": metric_colour, "test_rare": metric_colour})
    rare = {"r000", "r017", "r030"}
    cases = tuple(c for c in study.cases if c.test == "test_colour" or c.row in rare)
    study = replace(study, cases=cases)
    client = WorldClient()
    batches: list[set[str]] = []

    def emit(event: object) -> None:
        if isinstance(event, TrialFinished):
            batches.append({own_row(r) for r in client.requests if r.model == MODEL})
        if not isinstance(event, LeaderKnown | StageProgress):
            del client.requests[:]

    play(study, client, {"emit": emit}, minibatch_size=4, leaders=0, in_flight=1)
    assert len(batches) >= 6
    assert all("r017" in batch for batch in batches if len(batch) == 4)
    assert sum(len(batch) == 4 for batch in batches) >= 5  # the leader runs on what is new to it


def test_repeats_are_run_in_full_evaluations_alone() -> None:
    client = WorldClient()
    samples: list[tuple[str, set[int]]] = []

    def emit(event: object) -> None:
        if isinstance(event, TrialFinished):
            samples.append((event.kind, {r.sample for r in client.requests if r.model == MODEL}))
        if not isinstance(event, LeaderKnown | StageProgress):
            del client.requests[:]

    study = make_study(specs={"test_colour": {"repeats": 3}})
    play(study, client, {"emit": emit}, in_flight=1)
    assert {kind for kind, _ in samples} == {"minibatch", "full"}
    for kind, seen in samples:
        assert seen <= ({3} if kind == "minibatch" else {3, 4, 5})
    assert any(seen == {3, 4, 5} for kind, seen in samples if kind == "full")
