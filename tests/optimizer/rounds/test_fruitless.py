"""Why nothing better was found: what was tried, and what might help."""

from dataclasses import replace

import pytest
from made_runs import KEEPS, assessed, knowing, searched
from optimizer_world import Row, baseline_of, make_study, play, program
from world_model import MODEL, PROPOSER, WorldClient, answer, module_of

from pytest_mipro.optimizer.rounds.fruitless import nothing_better
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.runtime.client.contract import Request


def fixed(request: Request) -> str:
    """A model that answers red whatever it is told."""
    if request.model == MODEL and module_of(request) == "sort":
        return "red"
    return answer(request)


def wandering(state: SearchState) -> SearchState:
    """Return the state after a search whose only candidate cost too much on all rows."""
    known = knowing(state, [assessed(KEEPS, 0.9, rows=4)])
    return replace(known, record=known.record.with_dropped(KEEPS))


def test_a_search_whose_candidates_all_cost_too_much_says_so_much() -> None:
    with baseline_of() as (run, baseline):
        reason = nothing_better(wandering(searched(run, baseline)))
    assert reason.startswith("no candidate beat the committed prompts on validation rows; ")


def refusing(request: Request) -> str:
    return "I'm sorry, I can't help with that." if request.model == PROPOSER else fixed(request)


def test_what_was_tried_is_told_with_the_best_of_it() -> None:
    reason = play(client=WorldClient(fixed)).result.reason
    assert "programs, made of 4 new instructions and" in reason
    assert reason.endswith("the model may be at its ceiling here, or the metric too coarse")


def test_unusable_proposals_ask_for_another_proposer_model() -> None:
    reason = play(client=WorldClient(refusing)).result.reason
    assert reason.endswith("; no proposal was usable: try another proposer model")


def test_without_a_place_for_demos_one_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_mipro.runtime.calls.exchange.shows_demos", lambda _: False)
    reason = play(client=WorldClient(fixed)).result.reason
    assert "no prompt has a place for demos: a text needs `{demos}`" in reason


def metric_never(row: Row) -> Outcome:
    """A metric that nothing satisfies."""
    program(row.text)
    return Outcome(0.0, feedback="no")


def test_without_a_passing_row_labels_are_asked_for() -> None:
    reason = play(make_study(tests={"test_never": metric_never})).result.reason
    assert reason.endswith("no demos: name a column of right outputs in `labels`")
