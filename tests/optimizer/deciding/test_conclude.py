"""The conclusion: what it measures of a finalist, and how it ends."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from concluded import BETTER, NOTE, SORT, WORSE, concluded
from optimizer_world import (
    Row,
    baseline_of,
    make_rows,
    make_study,
    metric_colour,
    note,
    program,
    sort,
)
from world_model import MODEL, WorldClient, module_of, own_row

from pytest_mipro.optimizer.deciding.conclude import conclude, program_digest
from pytest_mipro.optimizer.deciding.finalist import Finalist
from pytest_mipro.optimizer.run.baseline import hold_for_decision
from pytest_mipro.optimizer.study.amount import NOTHING
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.runtime.prompts.prompt import Prompt


def test_what_is_held_back_is_enough_for_the_decision() -> None:
    with baseline_of(max_calls=149) as (run, baseline):
        hold_for_decision(run, baseline)
        run.hold(NOTHING)
        end = conclude(run, baseline, Finalist(BETTER, 3))
    assert end.decision is not None
    assert end.deciding is not None


def test_an_accepted_finalist_is_measured_on_all_cases() -> None:
    end = concluded(BETTER)
    assert end.decision is not None
    assert end.decision.verdict == "accept"
    assert end.prompts == BETTER
    assert end.finalist == program_digest(BETTER)
    assert end.holdout_uses == 1
    assert end.deciding is not None
    assert {run.case.row for run in end.deciding.runs} == {f"r{n:03}" for n in range(28, 42)}
    assert end.final is not None
    assert len(end.final.runs) == 42
    assert end.final.calls == 24  # only training rows are new by then


def test_a_prompt_that_no_case_ran_is_not_written() -> None:
    def test_led(row: Row) -> Outcome:
        text = note(row.text)
        return Outcome(1.0 if "more" in text else float(sort(text) == row.colour))

    past = {NOTE: Prompt("wander"), SORT: Prompt("Never asked.")}
    end = concluded(past, make_study(tests={"test_led": test_led}))
    assert end.decision is not None
    assert end.decision.verdict == "accept"
    assert end.prompts == {NOTE: past[NOTE]}


def test_a_rejected_finalist_is_not() -> None:
    client = WorldClient()
    end = concluded(WORSE, client=client)
    assert end.decision is not None
    assert end.decision.verdict == "reject"
    assert "not better" in end.reason
    assert (end.accepted, end.prompts, end.final) == (False, WORSE, None)
    assert end.deciding is not None
    train = {f"r{n:03}" for n in range(12)}
    spoiled = [r for r in client.of(MODEL) if "apple is blue" in r.messages[0].content]
    assert not train & {own_row(request) for request in spoiled}


def test_without_holdout_the_assignments_tried_weigh_in() -> None:
    study = make_study(make_rows(12, 14, 0))
    few = concluded(BETTER, study, tried=1)
    many = concluded(BETTER, study, tried=500)
    assert few.decision is not None
    assert many.decision is not None
    assert few.decision.verdict == "unconfirmed"
    assert few.prompts == BETTER
    assert many.decision.bound < few.decision.bound
    assert many.decision.verdict == "reject"


def little_new_on_the_holdout(row: Row) -> Outcome:
    """Right under the better prompts; without them wrong, but on most holdout rows."""
    program(row.text)
    easy = row.split == "holdout" and int(row.id[1:]) % 5 != 0
    return Outcome(float(easy or "green" in sort.prompt.instruction))


HELD_OUT = make_rows(12, 16, 14)
UNTAGGED = tuple(replace(row, split=None) for row in HELD_OUT[20:28])


def test_validation_scores_help_the_holdout_to_decide() -> None:
    study = make_study(HELD_OUT, {"test": little_new_on_the_holdout})
    alone, helped = (concluded(BETTER, study, known=known) for known in (False, True))
    assert alone.decision is not None
    assert helped.decision is not None
    assert not alone.accepted
    assert helped.accepted
    assert helped.decision.lift == alone.decision.lift
    assert "on 14 holdout rows and +1.000 on 16 kept from trials, one-sided" in helped.reason


def test_training_rows_that_the_program_has_not_seen_decide_too() -> None:
    client = WorldClient()
    unseen = ("r003", "r005", "r007")
    alone, helped = concluded(BETTER), concluded(BETTER, client=client, unseen=unseen)
    assert alone.decision is not None
    assert helped.decision is not None
    assert (alone.decision.lift.rows, helped.decision.lift.rows) == (14, 17)
    assert " on 14 holdout and 3 training rows, one-sided " in helped.reason
    assert {case.row for case in helped.cases} - {case.row for case in alone.cases} == {*unseen}
    assert helped.final is not None
    assert helped.final.calls == 18  # those of the other nine training rows


@pytest.mark.parametrize(
    "rows",
    [make_rows(12, 16, 0), (*UNTAGGED, *HELD_OUT[28:])],  # they decide alone; they also teach
)
def test_validation_scores_do_not_help_where_they_decide_or_teach(rows: tuple[Row, ...]) -> None:
    study = make_study(rows, {"test": little_new_on_the_holdout})
    alone, known = (concluded(BETTER, study, known=known) for known in (False, True))
    assert alone.decision is not None
    assert known.decision == alone.decision


def calls_more_often(where: str) -> Callable[[Row], Outcome]:
    """A metric whose program asks far more under a candidate, on the rows of one part."""

    def test(row: Row) -> Outcome:
        outcome = metric_colour(row)
        if row.split == where and "green" in sort.prompt.instruction:
            for n in range(4):
                note(f"[{row.id}] {n}")
        return outcome

    return test


@pytest.mark.parametrize("where", ["holdout", "train"])
def test_a_finalist_that_needs_more_calls_than_were_set_aside_is_rejected(where: str) -> None:
    study = make_study(tests={"test": calls_more_often(where)})
    end = concluded(BETTER, study)
    calls = {"holdout": 52, "train": 46}[where]
    assert end.reason == f"the finalist needs more than the {calls} calls reserved for it"
    assert not end.accepted
    assert end.prompts == BETTER
    assert end.final is None
    if where == "holdout":
        assert end.decision is None
    else:
        assert end.decision is not None
        assert not end.decision.accepted
        assert end.decision.reason == end.reason


def test_time_that_ends_in_the_decision_is_described_as_the_plugin_words_it() -> None:
    with baseline_of(max_seconds=60.0) as (measured, baseline):
        services = replace(measured.services, describe_error="<{}>".format)
        run = replace(measured, services=services)
        run.accounting.deadline.keep(1e6)  # nothing is left
        conclusion = conclude(run, baseline, Finalist(BETTER, 3))
    assert conclusion.decision is None
    words = r"the finalist needs more than the limits leave: <the limit of 60 seconds is used up.*>"
    assert re.fullmatch(words, conclusion.reason)


def test_the_final_pass_takes_every_sample_that_the_gate_takes() -> None:
    client = WorldClient()
    study = make_study(specs={"test_colour": {"repeats": 3}})
    end = concluded(BETTER, study, client)
    assert end.final is not None
    asked = {
        (own_row(request), request.sample)
        for request in client.of(MODEL)
        if module_of(request) == "note" and "keep the word" in request.messages[0].content
    }
    assert asked == {(row.id, sample) for row in make_rows() for sample in range(3)}


def test_only_on_demand_is_a_likely_finalist_measured_on_all_cases() -> None:
    study = make_study(make_rows(14, 6, 14))
    services = {"earlier_holdout_uses": 300}  # so late a look confirms nothing
    with baseline_of(study, services=services) as (run, baseline):
        end = conclude(run, baseline, Finalist(BETTER, 3))
    assert end.decision is not None
    assert (end.decision.verdict, end.accepted, end.final) == ("likely", False, None)
    with baseline_of(study, services=services, accept="likely") as (run, baseline):
        end = conclude(run, baseline, Finalist(BETTER, 3))
    assert end.decision is not None
    assert (end.decision.verdict, end.accepted) == ("likely", True)
    assert end.final is not None
    assert end.prompts == BETTER
