"""The conclusion: what is held back for it, what it measures, and how it ends."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
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

from pytest_mipro.optimizer.deciding.conclude import (
    Conclusion,
    Finalist,
    conclude,
    failed_gates,
    program_digest,
)
from pytest_mipro.optimizer.run.baseline import hold_for_decision
from pytest_mipro.optimizer.study.amount import NOTHING
from pytest_mipro.optimizer.study.case import CaseRun, Evaluation, Outcome, Study, cases_of
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
BETTER = {
    NOTE: Prompt("Note the subject; keep the word."),
    SORT: Prompt("grass is green, lime is green, sea is blue, sky is blue."),
}
WORSE = {NOTE: BETTER[NOTE], SORT: Prompt("apple is blue, brick is blue.")}


def concluded(
    program: Mapping[Any, Prompt],
    study: Study | None = None,
    client: WorldClient | None = None,
    tried: int = 3,
    *,
    known: bool = False,
    **settings: Any,
) -> Conclusion:
    """Conclude on a program whose validation rows were measured before, as in a search.

    Only where they are `known`, its validation scores are handed on with it.
    """
    with baseline_of(study, client, **settings) as (run, baseline):
        hold_for_decision(run, baseline)
        rows = baseline.split.validation
        part = run.ledger.part("a trial", baseline.worst(rows), stage="search")
        assert part is not None
        cases = cases_of(baseline.study, rows)
        measured = run.evaluator.start(program, cases, part, baseline.rules).result()
        return conclude(run, baseline, Finalist(program, tried, measured.scores() if known else {}))


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


def by_part(row: Row) -> Outcome:
    """Right under the better prompts but on training rows, where they fail."""
    given = program(row.text)
    better = "green" in sort.prompt.instruction
    if row.split == "train":
        return Outcome(0.0 if better else 1.0)
    return Outcome(float(given == row.colour))


@pytest.mark.parametrize(
    ("threshold", "written"),
    [(20 / 34, True), (0.6, False), (0.9, True)],  # still met, newly failed, never met
)
def test_thresholds_are_judged_on_all_cases_and_only_where_they_were_met(
    threshold: float, written: bool
) -> None:
    study = make_study(make_rows(14, 6, 14), {"test": by_part}, {"test": {"threshold": threshold}})
    with baseline_of(study) as (_, baseline):
        before = baseline.evaluation.scores()
    assert 0.6 < sum(before.values()) / 34 < 0.9
    end = concluded(BETTER, study)
    assert end.final is not None
    assert sum(end.final.scores().values()) == 20
    assert end.decision is not None
    assert end.decision.bound > 0
    assert end.accepted == written
    assert end.reason.startswith("better" if written else "fails the gate of test, which")


def test_a_test_whose_every_case_was_skipped_fails_no_threshold() -> None:
    def skipped(row: Row) -> Outcome:
        return Outcome(None, skipped="needs a network")

    study = make_study(
        tests={"test_colour": metric_colour, "test_net": skipped},
        specs={"test_net": {"threshold": 0.5}, "test_colour": {"threshold": 0.3}},
    )
    end = concluded(BETTER, study)
    assert end.prompts == BETTER


def test_time_that_ends_in_the_decision_is_described_as_the_plugin_words_it() -> None:
    with baseline_of(max_seconds=60.0) as (measured, baseline):
        services = replace(measured.services, describe_error="<{}>".format)
        run = replace(measured, services=services)
        run.accounting.deadline.keep(1e6)  # nothing is left
        conclusion = conclude(run, baseline, Finalist(BETTER, 3))
    assert conclusion.decision is None
    assert conclusion.reason == (
        "the finalist needs more than the limits leave: <the limit of 60 seconds is used up>"
    )


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

    def record_holdout_use(finalist: str) -> None:
        noted.append((finalist, len(client.requests)))

    with baseline_of(client=client, services={"record_holdout_use": record_holdout_use}) as (
        run,
        baseline,
    ):
        before = len(client.requests)
        conclude(run, baseline, Finalist(BETTER, 3))
    assert noted == [(program_digest(BETTER), before)]
    assert len(client.requests) > before


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


@pytest.mark.parametrize(
    ("limits", "fallen", "failed"),
    [
        ({"max_regression": 0.02}, 12, True),  # surely more than allowed
        ({"max_regression": 0.2}, 12, False),  # a sure fall, but within the limit or by chance
        ({"max_regression": 0.02}, 2, False),  # more than allowed, and may be chance
        ({"max_regression": 0.02, "confidence": 0.6}, 3, True),
        ({"threshold": 0.85}, 8, True),
        ({"threshold": 0.80}, 8, False),
        ({"threshold": 0.80, "confidence": 0.95}, 8, True),  # what the gate compares
        ({}, 1, True),  # each case passed
    ],
)
def test_a_gate_is_failed_by_the_rules_of_the_gate(
    limits: dict[str, float], fallen: int, failed: bool
) -> None:
    study = make_study(make_rows(0, 50, 0), specs={"test_colour": limits})

    def scored(lost: int) -> Evaluation:
        runs = (
            CaseRun(case, 0, Outcome(float(n >= lost)), ()) for n, case in enumerate(study.cases)
        )
        return Evaluation(tuple(runs))

    baseline = SimpleNamespace(study=study, evaluation=scored(0))
    assert failed_gates(cast("Any", baseline), scored(fallen)) == ("test_colour",) * failed
    unmet = SimpleNamespace(study=study, evaluation=scored(fallen))
    assert failed_gates(cast("Any", unmet), scored(fallen)) == ()


@pytest.mark.parametrize(("size", "failed"), [(1, ()), (5, ("test_colour",))])
def test_related_rows_count_as_one_for_a_threshold_with_confidence(
    size: int, failed: tuple[str, ...]
) -> None:
    specs = {"test_colour": {"threshold": 0.7, "confidence": 0.95}}
    study = make_study(make_rows(0, 50, 0), specs=specs)
    cases = [replace(case, unit=f"u{n // size}") for n, case in enumerate(study.cases)]
    study = replace(study, cases=tuple(cases))

    def scored(lost: int) -> Evaluation:
        runs = [CaseRun(case, 0, Outcome(float(n >= lost)), ()) for n, case in enumerate(cases)]
        return Evaluation(tuple(runs))

    baseline = SimpleNamespace(study=study, evaluation=scored(0))
    assert failed_gates(cast("Any", baseline), scored(8)) == failed


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


def test_a_finalist_that_is_measured_again_keeps_the_level_of_its_look() -> None:
    shown = (program_digest(BETTER), "a later finalist")
    end = concluded(BETTER, finalists_shown=shown)
    assert end.holdout_uses == 2
    assert "97.5 % lower bound" in end.reason
    assert "(look 1 at this holdout)" in end.reason
