"""Which program leads, and when a search may be at its end."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from made_runs import BASE, KEEPS, RULES, assessed, knowing, searched
from optimizer_world import baseline_of

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.search.assessments import Assessment


def state_of(known: Iterable[Assessment], **settings: int) -> SearchState:
    """Return a state that knows these beside the committed prompts: 0.4375 on 16 rows."""
    with baseline_of(**settings) as (run, baseline):
        return knowing(searched(run, baseline), known)


def test_a_lucky_minibatch_does_not_lead_beside_many_rows_that_are_nearly_as_good() -> None:
    state = state_of([assessed(KEEPS, 0.8, rows=2), assessed(RULES, 0.7, number=1, rows=16)])
    assert state.leader.assignment == state.incumbent == RULES
    fresh = state_of([assessed(KEEPS, 0.8, rows=16), assessed(RULES, 0.7, number=1, rows=16)])
    assert fresh.incumbent == KEEPS


def test_where_scores_scatter_little_beside_large_lifts_these_are_believed() -> None:
    lifts = [assessed(KEEPS, 0.9, rows=16), assessed(RULES, 0.1, number=1, rows=16)]
    rough, graded = (state_of(replace(item, lift_sd=sd) for item in lifts) for sd in (0.7, 0.1))
    assert rough.trusted_row_weight == 1 < graded.trusted_row_weight
    assert rough.means[KEEPS] < graded.means[KEEPS] < 0.9
    alike = state_of(replace(item, estimate=0.45, lift_sd=0.1) for item in lifts)
    assert alike.trusted_row_weight == 1


def test_of_equals_the_earliest_leads() -> None:
    twins = [assessed(item, 0.7, number=n, rows=8) for n, item in ((5, KEEPS), (4, RULES))]
    assert state_of(twins).incumbent == state_of(reversed(twins)).incumbent == RULES
    assert state_of([]).incumbent == BASE


def test_what_was_dropped_does_not_lead() -> None:
    state = state_of([assessed(KEEPS, 0.9, rows=16)])
    assert state.incumbent == KEEPS
    dropped = replace(state, record=state.record.with_dropped(KEEPS))
    assert dropped.incumbent == BASE
    assert KEEPS not in dropped.means


@pytest.mark.parametrize(
    ("rows", "batch", "last", "solves"),
    [
        (7, 4, 1.0, False),
        (8, 4, 1.0, True),
        (8, 8, 1.0, False),  # one minibatch
        (8, 4, 0.7 + 0.2 + 0.1, True),  # but for rounding
        (8, 4, 0.999, False),
    ],
)
@pytest.mark.parametrize("estimate", [0.9, 1.0])  # of all rows, which does not count
def test_trials_end_when_the_leader_solves_all_that_they_run(
    rows: int, batch: int, last: float, estimate: float, *, solves: bool
) -> None:
    scores = {**dict.fromkeys(map(str, range(rows - 1)), 1.0), "last": last}
    state = state_of([assessed(RULES, estimate, rows=rows, scores=scores)], minibatch_size=batch)
    assert state.incumbent == RULES
    assert state.solved == (f"the leader has the full score on {rows} rows" if solves else "")


def test_rows_that_are_one_solve_all_that_trials_run_as_one() -> None:
    state = state_of([assessed(RULES, 1.0, rows=4)], minibatch_size=2)
    split = state.baseline.split
    pairs = {row: f"u{place // 4}" for place, row in enumerate(split.validation)}
    grouped = replace(state.baseline, split=replace(split, units=pairs))
    assert state.solved == ""
    assert replace(state, baseline=grouped).solved == "the leader has the full score on 4 rows"


def test_trials_run_on_half_of_the_validation_rows_whatever_the_seed() -> None:
    with baseline_of() as (run, baseline):
        state = searched(run, baseline)
        rows = state.trial_rows
        other = replace(run, settings=replace(run.settings, seed=7, minibatch_size=4))
        assert replace(state, run=other).trial_rows == rows
        larger = replace(run, settings=replace(run.settings, minibatch_size=11))
        assert len(replace(state, run=larger).trial_rows) == 11
    assert len(rows) == 8
    assert set(rows) < set(baseline.split.validation)


def test_rows_of_a_unit_are_kept_from_trials_together() -> None:
    with baseline_of() as (run, baseline):
        split = baseline.split
        units = {row: f"u{place // 4}" for place, row in enumerate(split.validation)}
        grouped = replace(baseline, split=replace(split, units=units))
        rows = replace(searched(run, baseline), baseline=grouped).trial_rows
    assert len(rows) % 4 == 0
    assert len(rows) >= 8
