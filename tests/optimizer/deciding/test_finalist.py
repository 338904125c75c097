"""The finalist: the cheapest of the programs that the data can't tell apart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from made_runs import BASE as NOTHING_NEW
from made_runs import KEEPS, RULES, WINS, searched
from optimizer_world import baseline_of, make_row, make_rows, make_study

from pytest_mipro.optimizer.deciding.finalist import choose_finalist, equally_good, unseen_rows
from pytest_mipro.optimizer.search.assessments import Assessment, Record, cheapest
from pytest_mipro.optimizer.search.candidates import Candidates, extended
from pytest_mipro.optimizer.study.case import (
    Case,
    CaseCost,
    CaseRun,
    Outcome,
    Study,
    mean_cost,
    pooled_cost,
)
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.optimizer.search.space import Assignment

COMMITTED, PLAIN, RICH = (0, 0), (1, 0), (1, 1)
CASES = tuple(Case(f"c{n}", f"r{n}", "test_a", lambda: Outcome(1.0)) for n in range(100))


def assessed(assignment: tuple[int, ...], passing: range, cost: CaseCost) -> Assessment:
    scores = {case.id: float(n in passing) for n, case in enumerate(CASES)}
    estimate = len(passing) / len(CASES)
    return Assessment(assignment, estimate, 100, sum(assignment), scores, cost, True)


BASE = assessed(COMMITTED, range(40), CaseCost(100.0))


def chosen(items: Sequence[Assessment], max_loss: float = 0.01) -> tuple[int, ...]:
    record = Record({item.assignment: item for item in (BASE, *items)})
    return cheapest(equally_good(record, COMMITTED, CASES, max_loss)).assignment


def test_of_equals_the_cheapest_is_taken() -> None:
    rich, plain = (
        assessed(RICH, range(70), CaseCost(900.0)),
        assessed(PLAIN, range(69), CaseCost(300.0)),
    )
    assert chosen([rich, plain]) == PLAIN


def test_a_loss_of_more_than_the_bound_is_not_worth_it_whatever_the_price() -> None:
    rich, plain = (
        assessed(RICH, range(70), CaseCost(900.0)),
        assessed(PLAIN, range(67), CaseCost(300.0)),
    )
    assert chosen([rich, plain]) == RICH
    assert chosen([rich, plain], max_loss=0.03) == PLAIN
    assert chosen([rich, plain], max_loss=0.0) == RICH


def test_what_the_data_tell_apart_is_no_equal() -> None:
    rich, plain = (
        assessed(RICH, range(90), CaseCost(900.0)),
        assessed(PLAIN, range(50), CaseCost(300.0)),
    )
    assert chosen([rich, plain], max_loss=1.0) == RICH


def test_the_committed_program_and_what_is_no_better_are_no_candidates() -> None:
    rich, plain = (
        assessed(RICH, range(41), CaseCost(900.0)),
        assessed(PLAIN, range(40), CaseCost(1.0)),
    )
    assert chosen([rich, plain], max_loss=1.0) == RICH


def test_a_program_that_was_not_measured_on_all_rows_is_no_candidate() -> None:
    rich, plain = (
        assessed(RICH, range(70), CaseCost(900.0)),
        assessed(PLAIN, range(70), CaseCost(300.0)),
    )
    assert chosen([rich, replace(plain, full=False)]) == RICH


def test_money_decides_where_all_prices_are_known_and_tokens_where_one_is_not() -> None:
    rich = assessed(RICH, range(70), CaseCost(900.0, cost=0.001))
    plain = assessed(PLAIN, range(70), CaseCost(300.0, cost=0.002))
    assert chosen([rich, plain]) == RICH
    assert chosen([rich, replace(plain, cost=CaseCost(300.0))]) == PLAIN


class _Call:
    def __init__(self, tokens: int, cost: float | None) -> None:
        self.usage = Usage(tokens, 1)
        self.cost = cost


def run(*calls: _Call) -> CaseRun:
    return CaseRun(CASES[0], 0, Outcome(1.0), calls)  # type: ignore[arg-type]


def test_a_price_is_the_mean_of_a_run_of_a_case() -> None:
    price = mean_cost([run(_Call(9, 0.5), _Call(19, 0.25)), run(_Call(29, 0.25))])
    assert price == CaseCost(tokens=30.0, cost=pytest.approx(0.5))


def test_means_of_parts_count_by_their_runs() -> None:
    parts = (CaseCost(30.0, 0.5), 3), (CaseCost(10.0, 0.1), 1)
    assert pooled_cost(*parts) == CaseCost(25.0, pytest.approx(0.4))
    assert pooled_cost(*parts, (CaseCost(25.0, None), 4)) == CaseCost(25.0, None)
    assert pooled_cost() == CaseCost(0.0, 0.0)


def test_one_call_without_a_price_leaves_the_cost_unknown() -> None:
    assert mean_cost([run(_Call(9, 0.5), _Call(9, None))]).cost is None
    assert mean_cost([run()]) == CaseCost(0.0, None)


def test_the_finalist_takes_its_scores_of_rows_kept_from_trials_along() -> None:
    with baseline_of() as (run, baseline):
        state = searched(run, baseline, *WINS)
        finalist = choose_finalist(state)
        (best,) = [item for item in state.record.full if item.assignment == RULES]
    assert finalist.program == state.candidates.program(RULES)
    kept = set(baseline.split.validation) - set(state.trial_rows)
    assert len(kept) == len(baseline.split.validation) // 2
    assert finalist.kept == {
        case: score for case, score in best.scores.items() if case[len("test_colour[") : -1] in kept
    }
    assert (finalist.tried, finalist.leaders) == (state.tried, len(state.record.full) - 1)


def test_a_leader_that_was_not_measured_has_its_part_of_the_error() -> None:
    with baseline_of(leaders=2) as (run, baseline):
        both = searched(run, baseline, *WINS)
        (other,) = [item for item in both.record.full if item.assignment == KEEPS]
        one = replace(both, record=both.record.with_assessment(replace(other, full=False)))
        assert choose_finalist(one).leaders == choose_finalist(both).leaders == 2
        assert choose_finalist(searched(run, baseline, WINS[1])).leaders == 1  # there is no other


SHOWN = (0, 1, 0, 0)
DEMOS = (Demo("r003", {"text": "x"}, "y"),)
Rows = tuple[str, ...]


def unseen(study: Study, assignment: Assignment, *, taught: bool = False) -> tuple[Rows, Rows]:
    """Return the training rows, and those of them that a program with one new demo set leaves."""
    with baseline_of(study) as (run, baseline):
        state = searched(run, baseline)
        first, second = state.candidates.modules
        candidates = Candidates((extended(first, (), [DEMOS]), second))
        digests = frozenset({Prompt("", DEMOS).digest()} if taught else ())
        state = replace(state, candidates=candidates, taught_sets=digests)
        return baseline.split.train, unseen_rows(state, assignment)


UNTAGGED = make_study([make_row(number, None) for number in range(60)])


@pytest.mark.parametrize("assignment", [SHOWN, NOTHING_NEW])
def test_training_rows_decide_on_demos_alone(assignment: Assignment) -> None:
    train, left = unseen(UNTAGGED, assignment)
    assert left == train
    assert len(train) == 12


@pytest.mark.parametrize(("assignment", "taught"), [(SHOWN, True), (KEEPS, False), (RULES, False)])
def test_they_do_not_decide_on_what_was_made_for_them(
    assignment: Assignment, *, taught: bool
) -> None:
    assert unseen(UNTAGGED, assignment, taught=taught)[1] == ()


def test_rows_that_are_one_with_others_are_left_out() -> None:
    rows, left_out = unseen(UNTAGGED, SHOWN)[0], 0
    for pair in itertools.pairwise(rows):
        tied = [
            replace(case, cluster="both" if case.row in pair else "") for case in UNTAGGED.cases
        ]
        train, left = unseen(replace(UNTAGGED, cases=tuple(tied)), SHOWN)
        assert set(train) - set(left) == set(pair) & set(train)
        left_out += len(train) - len(left)
    assert left_out


def test_where_rows_are_tagged_the_holdout_decides_alone() -> None:
    assert unseen(make_study(make_rows()), SHOWN)[1] == ()
    some = [make_row(number, "holdout" if number < 12 else None) for number in range(60)]
    assert unseen(make_study(some), SHOWN)[1] == ()


def test_without_a_holdout_they_decide_nothing() -> None:
    few = make_study([make_row(number, None) for number in range(24)])
    assert unseen(few, SHOWN)[1] == ()
