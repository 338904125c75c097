"""Trials that need more calls than are reserved for them: dropped, counted, not tried again."""

from optimizer_world import (
    Row,
    baseline_of,
    make_study,
    play,
    play_wandering,
    program,
    sort,
    trials_of,
    without,
)

from pytest_mipro.optimizer.search.searcher import RandomSearcher
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.study.case import Outcome


class Telling(RandomSearcher):
    """Notes what it is told."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.told: dict[Assignment, float] = {}

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        self.told[assignment] = score
        super().tell(assignment, score, weight)


def test_a_candidate_that_makes_far_more_calls_is_dropped_and_the_study_goes_on() -> None:
    spies: list[Telling] = []

    def searcher(space: Space, seed: int) -> Telling:
        spies.append(Telling(space, seed))
        return spies[-1]

    played = play_wandering(services={"searcher": searcher})
    trials = trials_of(played)
    dropped = [trial for trial in trials if trial.dropped]
    assert dropped
    assert len(dropped) < len(trials)
    wandering = {trial.assignment[0] for trial in dropped}
    assert wandering == {1}
    for trial in dropped:
        assert trial.estimate is None
        assert trial.dropped == f"more than the {trial.calls} calls reserved for it"
        # 8 rows of 2 calls: half as many more, and ten
        assert trial.calls == 34
        assert any(spy.told.get(trial.assignment) == 0.0 for spy in spies)
    assert played.result.prompts
    assert not any("wander" in prompt.instruction for prompt in played.result.prompts.values())


def test_the_calls_of_dropped_trials_are_counted() -> None:
    played = play_wandering()
    dropped = sum(trial.calls for trial in trials_of(played) if trial.dropped)
    assert dropped
    assert played.result.calls >= len(played.client.digests)
    assert played.result.calls > len(played.client.digests) - dropped


def test_modules_asked_several_times_with_other_parameters_are_not_over_budget() -> None:
    """Votes by temperature are calls of their own, in the baseline's count as in a trial's."""

    def voting(row: Row) -> Outcome:
        text = program(row.text)
        votes = [sort.using(seed=n)(note=row.text) for n in range(9)]
        return Outcome(float(max(votes, key=votes.count) == row.colour and bool(text)))

    played = play(make_study(tests={"test_colour": voting}))
    assert trials_of(played)
    assert not any(trial.dropped for trial in trials_of(played))


def test_worst_calls_are_half_as_many_more_and_ten() -> None:
    with baseline_of() as (_, baseline):
        assert baseline.worst([]).calls == 10
        assert baseline.worst(["r000", "r001", "r002", "r003"]).calls == 12 + 10


def test_a_dropped_assignment_is_not_tried_again_in_a_later_round() -> None:
    played = play_wandering(rounds=3, trials=30, max_demos=0)
    dropped = [trial.assignment for trial in trials_of(played) if trial.dropped]
    assert dropped
    assert len(dropped) == len(set(dropped))


def test_a_full_trial_is_over_where_it_needs_more_calls_than_are_reserved() -> None:
    played = play_wandering(minibatch_size=100, parts=without("minibatches"), max_demos=0)
    dropped = [trial for trial in trials_of(played) if trial.dropped]
    assert dropped
    assert played.result.calls >= len(played.client.digests)
