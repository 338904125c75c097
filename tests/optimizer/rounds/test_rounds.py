"""Rounds: each grows the space from the incumbent of the one before."""

import itertools
import re
from typing import Any

import pytest
from made_runs import assessed
from optimizer_world import (
    HARD,
    Played,
    baseline_of,
    make_row,
    make_rows,
    make_study,
    metric_colour,
    play,
    without,
)
from world_model import (
    MODEL,
    PROPOSER,
    WorldClient,
    answer,
    asks_again,
    last,
    markers,
    module_of,
    own_row,
)

from pytest_mipro.optimizer.rounds.rounds import search_rounds
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    CandidatesReady,
    StageStarted,
    TrialFinished,
)
from pytest_mipro.optimizer.search.assessments import Record
from pytest_mipro.optimizer.search.candidates import Candidates
from pytest_mipro.optimizer.search.searcher import RandomSearcher
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.search.tpe import TPESearcher
from pytest_mipro.optimizer.study.settings import DEFAULT
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.prompts.prompt import Prompt


@pytest.fixture(scope="module")
def played() -> Played:
    return play(HARD, rounds=3, trials=9, patience=3)


def proposals(played: Played, module: str) -> list[Request]:
    """Return the requests for a module's instructions in the order of the rounds."""
    asked = [request for request in played.client.of(PROPOSER) if not asks_again(request)]
    return [request for request in asked if module_of(request) == module]


def test_every_round_proposes_and_searches(played: Played) -> None:
    assert [ready.round for ready in played.seen(CandidatesReady)] == [1, 2, 3]
    rounds = [trial.round for trial in played.seen(TrialFinished)]
    assert rounds == sorted(rounds)
    minibatches = [t.round for t in played.seen(TrialFinished) if t.kind == "minibatch"]
    assert min(minibatches.count(number) for number in (1, 2, 3)) >= 3


@pytest.mark.parametrize(("rate", "most"), [(0.25, 4), (0.5, 3)])
def test_demos_fill_the_tokens_that_the_baseline_took_for_a_byte(rate: float, most: int) -> None:
    client = WorldClient(rate=rate)
    ready = play(HARD, client, max_demo_tokens=60).seen(CandidatesReady)[-1]
    shown = [len(demos) for module in ready.offered for demos in module.demo_sets]
    assert max(shown) == most


def test_the_grounding_is_asked_for_once(played: Played) -> None:
    grounding = [request for request in played.client.of(PROPOSER) if not module_of(request)]
    assert len(grounding) == len({request.digest() for request in grounding}) == 2
    totals = [e.total for e in played.seen(StageStarted) if e.stage == "proposals"]
    assert totals == [2 + 2 * 2, 2 * 2, 2 * 2]  # two modules, two candidates


def test_later_proposals_start_from_the_incumbent_and_show_what_was_tried(played: Played) -> None:
    asked = [last(request) for request in proposals(played, "sort")]
    assert len(asked) == 3 * 2
    (before,) = played.seen(BaselineMeasured)
    score = f"{before.measured.objective:.3f}"
    assert f"## Current instruction, score {score}\nChoose the colour.\n\n## Task" in asked[0]
    (current,) = re.findall(r"## Current instruction, score .*\n(.*)", asked[-1])
    assert current.startswith("Choose the colour: grass is green")
    assert asked[-1].count("Score ") > 1


def test_later_examples_are_the_incumbents_runs_on_training_rows(played: Played) -> None:
    first, *_, final = (last(request) for request in proposals(played, "sort"))
    assert "something" in first  # the committed note loses words
    assert "something" not in final  # the incumbent's keeps them
    train = set(played.result.split.train)
    for request in played.client.of(PROPOSER):
        assert markers(*request.messages) <= train


@pytest.mark.parametrize("rows", [3, 12, 100])
def test_the_incumbent_runs_on_as_many_training_rows_as_are_wanted(rows: int) -> None:
    played = play(training_rows=rows)
    train = set(played.result.split.train)
    asked = proposals(played, "sort")[-1]
    shown = markers(*asked.messages)
    assert shown <= train
    assert len(shown) == min(rows, 12)
    note_runs = {
        own_row(request)
        for request in played.client.of(MODEL)
        if own_row(request) in train and "keep the word" in request.messages[0].content
    }
    assert note_runs == train  # the final pass covers them all


class Told(RandomSearcher):
    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.told: list[tuple[Assignment, float, float]] = []

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        self.told.append((assignment, score, weight))
        super().tell(assignment, score, weight)


def test_each_rounds_searcher_is_told_what_is_known_and_has_a_stream_of_its_own() -> None:
    made: list[tuple[Space, int, Told]] = []

    def searcher(space: Space, seed: int) -> Told:
        made.append((space, seed, Told(space, seed)))
        return made[-1][2]

    played = play(HARD, services={"searcher": searcher}, minibatch_size=4, seed=2)
    # In each round one for the trials before the instructions come, and one for the others.
    (before, start, _), (space, seed, first), (_, again, _), (larger, other, second) = made
    assert (start, seed, again == other, other != seed) == (2, 2, True, True)
    for sizes, more in itertools.pairwise([before.sizes, space.sizes, larger.sizes]):
        assert all(a <= b for a, b in zip(sizes, more, strict=True))
        assert sizes != more
    assert before.sizes[::2] == (1, 1)  # the committed instructions alone
    known = {assignment: (score, weight) for assignment, score, weight in first.told}
    carried = {a: (score, weight) for a, score, weight in second.told[: len(known)]}
    assert carried == known  # the last estimate of each, with the rows that it rests on
    assert (0, 0, 0, 0) in known
    assert {weight for _, _, weight in first.told} == {4, 16}  # the committed prompts ran on all
    joined = [weight for a, _, weight in second.told[len(known) :] if a in known]
    assert joined
    assert min(joined) > 4  # the leader, on the rows of both rounds
    assert played.result.trials == len({a for a, _, _ in second.told}) - 1


def test_without_a_better_incumbent_the_baselines_runs_serve_again() -> None:
    def fixed(request: Request) -> str:
        if request.model == MODEL and module_of(request) == "sort":
            return "red"
        return answer(request)

    played = play(client=WorldClient(fixed), trials=4, parts=without("attempts"))
    train = set(played.result.split.train)
    asked = [r for r in played.client.of(MODEL) if own_row(r) in train]
    assert len({r.digest() for r in asked}) == 2 * len(train)  # the baseline alone


@pytest.mark.parametrize(("patience", "rounds"), [(2, 2), (3, 3), (9, 5)])
def test_rounds_without_a_better_program_end_the_search(patience: int, rounds: int) -> None:
    def fixed(request: Request) -> str:
        if request.model == MODEL and module_of(request) == "sort":
            return "red"
        return answer(request)

    settings = {"rounds": 5, "trials": 30, "patience": patience}
    played = play(client=WorldClient(fixed), **settings)
    assert len(played.seen(CandidatesReady)) == rounds
    if rounds == 5:
        assert played.result.ended == ""
    else:
        wanted = f"the search ended after {patience} rounds without a better program"
        assert played.result.ended == wanted
    for_good = play(client=WorldClient(fixed), parts=without("plateau"), **settings)
    assert len(for_good.seen(CandidatesReady)) == 5


def test_no_plateau_ends_a_search_before_each_kind_of_move_had_its_turn() -> None:
    def fixed(request: Request) -> str:
        if request.model == MODEL and module_of(request) == "sort":
            return "red"
        return answer(request)

    tpe = {"searcher": TPESearcher}
    played = play(client=WorldClient(fixed), services=tpe, rounds=6, trials=6, patience=1)
    tried = [trial.assignment for trial in played.seen(TrialFinished)]
    kinds = {(any(item[::2]), any(item[1::2])) for item in tried}
    assert {(False, True), (True, True)} <= kinds
    assert len(played.seen(CandidatesReady)) >= 3  # with one trial a round


def test_a_search_that_solves_what_trials_run_is_at_its_end() -> None:
    played = play(rounds=5, trials=25, minibatch_size=6, seed=6)
    assert played.result.ended == "the leader has the full score on 8 rows"
    assert not played.result.cut_short
    assert 1 <= len(played.seen(CandidatesReady)) < 5
    assert max(trial.best for trial in played.seen(TrialFinished)) == 1.0
    assert played.result.prompts


def test_committed_prompts_that_solve_every_validation_row_are_searched_no_further() -> None:
    rows = [row for row in make_rows(12, 40, 14) if row.split != "validation" or solved(row.id)]
    played = play(make_study(rows, {"test_colour": metric_colour}))
    assert played.result.ended == "every validation row has the full score"
    assert not played.client.of(PROPOSER)
    assert not played.seen(TrialFinished)
    assert played.result.prompts == {}
    wanted = "every validation row has the full score under the committed prompts"
    assert played.result.reason == wanted


def test_a_full_score_that_rounding_misses_is_one() -> None:
    def ends(estimate: float) -> str:
        record = Record({(0, 0): assessed((0, 0), estimate, full=True)})
        with baseline_of() as (run, baseline):
            return SearchState(run, baseline, Candidates(()), record).perfect

    assert ends(0.7 + 0.2 + 0.1) == ends(1.0) == "every validation row has the full score"
    assert 0.7 + 0.2 + 0.1 < 1
    assert ends(0.999) == ""


def solved(row: str) -> bool:
    """Return whether the committed prompts solve a row: it is lucky or red, and keeps its word."""
    number = int(row[1:])
    return number % 5 != 0 and (number % 4 == 0 or number % 6 < 2)


def test_one_round_is_plain_mipro() -> None:
    played = play(rounds=1, seed=1)
    assert len(played.seen(CandidatesReady)) == 1
    assert len(proposals(played, "sort")) == 2
    assert played.result.prompts


def test_a_round_without_trials_asks_for_no_proposals() -> None:
    stages = [event.stage for event in play(trials=1, rounds=3).seen(StageStarted)]
    assert stages.count("proposals") == 1


def drawn_sets(**settings: Any) -> list[tuple[bool, str]]:
    """Return of each new demo set whether a taught incumbent made it, and its way."""
    study = make_study([make_row(number, None) for number in range(60)])
    with baseline_of(study, rounds=4, trials=24, patience=4, **settings) as (run, baseline):
        state = search_rounds(run, baseline)
    digests = [
        Prompt("", demos).digest() for m in state.candidates.modules for demos in m.demo_sets[1:]
    ]
    return [(digest in state.taught_sets, state.ways[digest]) for digest in digests]


def test_no_instruction_no_taught_set() -> None:
    found = drawn_sets(parts=DEFAULT - {"instructions"})
    assert set(found) == {(False, "random"), (False, "failing"), (False, "cover")}


def test_all_sets_after_a_taught_incumbent_are_taught() -> None:
    found = drawn_sets()
    assert (True, "random") in found
    assert (False, "random") in found  # of the rounds before
