"""The rules by themselves: what a test's measured cases come to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from judged import NO_HOLDOUT, lock_of, passing, plan_of, results_of, rule, verdict_on

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.collecting.case_files import Row
from pytest_mipro.plugin.collecting.plan import PlannedCase
from pytest_mipro.plugin.gate.case_run import group_of
from pytest_mipro.plugin.gate.verdict.case_statistics import NO_GROUP, groups_of, share_passing_all
from pytest_mipro.plugin.gate.verdict.judge import Holdout, Reference, holdout_of, judge
from pytest_mipro.plugin.gate.verdict.rules import describe_detectable
from pytest_mipro.plugin.measuring.report_data import CaseResult


def test_the_threshold_compares_the_mean():
    assert verdict_on(passing(8, 10), threshold=0.8).status == "passed"
    verdict = verdict_on(passing(7, 10), threshold=0.8)
    assert verdict.status == "failed"
    assert verdict.reason == "mean 0.70 is below the threshold 0.80 by 0.10"


def test_equal_shares_of_few_and_of_many_cases_are_told_apart():
    few, many = (verdict_on(passing(17 * n, 20 * n), threshold=0.8) for n in (1, 50))
    assert few.status == many.status == "passed"
    assert rule(few, "threshold").doubt == (
        "too few cases to tell 0.85 from 0.80: 20 cases detect a distance of 0.17"
    )
    assert rule(many, "threshold").doubt == ""
    assert (few.whole.interval.low, many.whole.interval.low) == pytest.approx(
        (0.640, 0.827), abs=1e-3
    )


@pytest.mark.parametrize("good", [35, 45, 50])
def test_with_confidence_the_lower_bound_decides(good):
    verdict = verdict_on(passing(good, 50), threshold=0.85, confidence=0.95)
    found = rule(verdict, "threshold")
    assert found.held == (found.value >= 0.85) == (good == 50)
    assert bool(found.doubt) == (good == 45)
    if good == 50:
        assert found.words == "threshold 0.85 reached at 0.95 confidence"
    else:
        assert found.words.startswith("lower bound at 0.95 confidence 0.")


def test_a_mean_at_its_threshold_may_be_on_either_side_but_for_all_or_nothing():
    (doubt,) = verdict_on(passing(16, 20), threshold=0.8).doubts
    assert doubt == "too few cases to tell the side of 0.80: 20 cases detect a distance of 0.19"
    assert verdict_on(passing(20, 20), threshold=1.0).doubts == ()


def test_a_sure_verdict_tells_what_its_cases_detect():
    results, lock = passing(50, 100), lock_of([1.0] * 95 + [0.0] * 5)
    found = describe_detectable(verdict_on(results, lock, threshold=0.8, max_regression=0.02))
    assert found == [
        "100 cases detect a distance of 0.11 from the threshold",
        "100 rows detect a difference of 0.11 from the lock",
    ]
    (line,) = describe_detectable(verdict_on(passing(2_999, 3_000), threshold=1.0))
    assert line == "3,000 cases detect a distance of 0.0009 from the threshold"
    unsure = verdict_on(results, threshold=0.5)
    assert unsure.doubts
    assert describe_detectable(unsure) == []


def test_equal_graded_scores_keep_an_interval():
    verdict = verdict_on(results_of([0.9] * 10), threshold=0.8)
    assert verdict.whole.interval.low < 0.9 < verdict.whole.interval.high
    assert verdict.doubts


def test_errors_and_gaps_make_it_incomplete_and_skips_are_left_out():
    results = [
        *passing(3, 3),
        CaseResult("test_x[e]", "e", Outcome(None, error="no key")),
        CaseResult("test_x[f]", "f", Outcome(None, failure="KeyError: 'x'")),
        CaseResult("test_x[s]", "s", Outcome(None, skipped="later")),
    ]
    plan = replace(plan_of(results, threshold=0.5), selected=8, expected=8)
    verdict = judge(plan, results, Reference(None, NO_HOLDOUT, "all"))
    assert verdict.status == "incomplete"
    assert verdict.reason == "1 case had an error, 1 case failed, 2 cases did not run"
    assert [result.id for result in verdict.broken] == ["test_x[e]", "test_x[f]"]
    clean = verdict_on([*passing(3, 3), results[-1]], threshold=1.0)
    assert (clean.status, clean.whole.cases, clean.counts["skipped"]) == ("passed", 3, 1)


def by_group(**groups):
    made = [(name, score) for name, (good, n) in groups.items() for score in passing(good, n)]
    return [
        replace(result, id=f"test_x[{n}]", row=f"r{n}", group=name)
        for n, (name, result) in enumerate(made)
    ]


def test_a_group_that_always_fails_is_not_hidden_by_the_mean():
    results = by_group(app=(95, 95), billing=(1, 8))
    verdict = verdict_on(results, threshold=0.9, group="product")
    assert verdict.whole.mean > 0.9
    assert verdict.status == "failed"
    assert verdict.reason == ("below the threshold 0.90 in product=billing (mean 0.12, p < 0.001)")
    assert [(group.name, group.failed) for group in verdict.groups] == [
        ("billing", True),
        ("app", False),
    ]


def test_many_groups_are_adjusted_for():
    alone = groups_of(by_group(a=(12, 20)), 0.8)
    among = groups_of(by_group(a=(12, 20), b=(20, 20), c=(20, 20)), 0.8)
    assert alone[0].failed
    assert alone[0].p_value == pytest.approx(0.0321, abs=1e-3)
    assert not among[0].failed
    assert among[0].p_value == pytest.approx(3 * alone[0].p_value)


def test_a_low_group_that_may_be_chance_is_named_as_a_doubt():
    groups = by_group(a=(2, 3), b=(60, 60), c=(1, 2), d=(0, 1), e=(3, 4))
    verdict = verdict_on(groups, threshold=0.8, group="product")
    assert verdict.status == "passed"
    assert verdict.doubts[-1] == "too few cases to tell product=d, c, a and 1 more from 0.80"


@pytest.mark.parametrize("left", [["b"], ["b", "c"]])
def test_a_group_without_a_scored_case_is_named(left):
    results = by_group(a=(20, 20), b=(2, 2), c=(9, 9))
    skipped = Outcome(None, skipped="later")
    results = [replace(r, outcome=skipped) if r.group in left else r for r in results]
    verdict = verdict_on(results, threshold=0.8, group="product")
    assert verdict.status == "passed"
    assert f"no case to judge product={', '.join(left)} by has a score" in verdict.doubts


def test_groups_without_a_threshold_have_no_p_value():
    groups = groups_of(by_group(a=(1, 2), b=(2, 2)), None)
    assert [(group.p_value, group.failed) for group in groups] == [(None, False)] * 2
    assert groups_of(passing(1, 2), 0.5) == ()
    mixed = [*by_group(a=(1, 2)), *passing(1, 1)]
    assert {group.name for group in groups_of(mixed, None)} == {"a", NO_GROUP}


def test_the_holdout_is_judged_where_asked():
    results = passing(60, 100)
    holdout = Holdout(frozenset(result.row for result in results[50:]))
    whole = verdict_on(results, holdout=holdout, threshold=0.5)
    assert (whole.status, whole.holdout.mean, whole.holdout.cases) == ("passed", 0.2, 50)
    held = verdict_on(results, holdout=holdout, gate_on="holdout", threshold=0.5)
    assert held.reason == "holdout mean 0.20 is below the threshold 0.50 by 0.30"
    assert held.whole.mean == 0.6


def test_a_gate_on_a_holdout_that_is_too_small_is_incomplete():
    verdict = verdict_on(passing(5, 5), gate_on="holdout", threshold=0.5)
    assert verdict.status == "incomplete"
    assert verdict.reason == f"mipro_gate_on=holdout: {NO_HOLDOUT.problem}"


def test_long_names_of_groups_stay_apart():
    def group(middle):
        row = Row(
            "r", {"page": f"https://docs.example.com/en/{middle}/reference.html?lang=en&full=1"}
        )
        plan = plan_of((), group="page")
        return group_of(PlannedCase(None, "t", row, plan, None))

    names = {group(f"{number:03}") for number in range(200)}
    assert len(names) == 200
    assert all(len(name) <= 32 for name in names)


def test_calls_that_the_pipeline_gave_up_are_told():
    verdict = verdict_on([*results_of([1.0], given_up=2), *passing(1, 1)], threshold=0.5)
    assert verdict.status == "passed"
    assert verdict.warnings[0].startswith("2 LM calls were given up before a reply came")


def test_the_holdout_is_that_of_the_split():
    results = passing(200, 200)
    found = holdout_of(results, 30)
    assert len(found.rows) == 80
    assert len(holdout_of(results[:-1], 30).rows & found.rows) >= 58
    few = holdout_of(results, 150)
    assert not few.rows
    assert few.problem.startswith(
        f"the study has {len(found.rows)} holdout rows of the 150 that it needs; add cases"
    )


def test_columns_place_rows_and_skipped_rows_have_no_place():
    tagged = [replace(result, split="holdout") for result in passing(40, 40)]
    rest = [replace(r, row=f"t{n}", split="train") for n, r in enumerate(passing(9, 9))]
    more = [replace(r, row=f"v{n}", split="validation") for n, r in enumerate(passing(9, 9))]
    skipped = CaseResult("test_x[s]", "s", Outcome(None, skipped="x"), split="holdout")
    found = holdout_of([*tagged, *rest, *more, skipped], 30)
    assert found.rows == {result.row for result in tagged}
    clash = [tagged[0], replace(tagged[0], split="train")]
    assert "is tagged split=" in holdout_of(clash, 30).problem


def test_samples_that_disagree_are_flaky_and_count_in_pass_k():
    samples = [(1.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0)]
    results = [
        CaseResult(f"test_x[{n}]", f"r{n}", Outcome(sum(pair) / 2), samples=pair)
        for n, pair in enumerate(samples)
    ]
    verdict = verdict_on(results, threshold=0.1, repeats=2)
    assert verdict.pass_all == 0.5
    assert [result.id for result in verdict.flaky] == ["test_x[1]"]
    assert verdict_on(results, threshold=0.1).pass_all is None


def test_pass_k_goes_by_row():
    results = [
        CaseResult("a", "row", Outcome(1.0), samples=(1.0, 1.0)),
        CaseResult("b", "row", Outcome(0.5), samples=(1.0, 0.0)),
        CaseResult("c", "other", Outcome(0.9), samples=(0.9, 0.9)),
    ]
    assert share_passing_all(results, 1.0) == 0.0
    assert share_passing_all(results, 0.9) == 0.5
    assert share_passing_all([], 1.0) is None


def test_repeats_widen_no_certainty():
    """Samples of one row are not rows of their own: ten rows stay ten."""
    once, often = passing(5, 10), passing(5, 10)
    often = [replace(result, samples=(result.score,) * 20) for result in often]
    assert (
        verdict_on(often, threshold=0.1, repeats=20).whole == verdict_on(once, threshold=0.1).whole
    )
