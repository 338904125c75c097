"""A study as it is watched, with a clock and counts that the test sets."""

from dataclasses import dataclass, replace

import pytest
from watched_study import TRIALS, leader, measured, plan

from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    LeadTaken,
    StageProgress,
    StageStarted,
)
from pytest_mipro.optimizer.study.amount import NOTHING, Amount, Limits
from pytest_mipro.plugin.optimise.screen.study_watch import StudyWatch, format_time

BASELINE = BaselineMeasured("s", measured(0.5), ())


@dataclass
class World:
    """What the watch asks: time, answers and the bill."""

    seconds: float = 0.0
    answers: int = 0
    billed: Amount = NOTHING
    under_way: int = 0

    def watch(self) -> StudyWatch:
        return StudyWatch(
            "tests/test_a.py",
            lambda: self.answers,
            lambda: self.billed,
            lambda: self.under_way,
            lambda: self.seconds,
        )


def test_spending_is_told_against_what_is_limited():
    world = World(billed=Amount(1_200, 30_000, 120_000_000))
    watch = world.watch()
    assert watch.spent() == "1,200 calls billed, 30,000 tokens, $0.1200"
    watch(plan(Limits(calls=3_000, nanodollars=2_000_000_000)))
    assert watch.spent() == "1,200 of 3,000 calls billed, 30,000 tokens, $0.1200 of $2.00"
    watch(plan(Limits(tokens=0)))
    assert "30,000 of 0 tokens" in watch.spent()


def test_an_unknown_price_is_no_price():
    world = World(billed=Amount(3, None, None))
    assert world.watch().spent() == "3 calls billed"


def test_calls_under_way_show_that_the_study_waits_for_the_model():
    watch = World(answers=1_440, under_way=16).watch()
    assert watch.answers() == "1,440 answered, cached ones too; 1,440 a second, 16 under way"


def test_the_rate_is_that_of_the_last_ten_seconds():
    world = World()
    watch = world.watch()
    rates = []
    for second in range(1, 31):
        world.seconds = float(second)
        world.answers += 20 if second <= 15 else 5
        rates.append(int(watch.answers().split("; ")[1].split()[0]))
    assert (rates[0], rates[14], rates[-1]) == (20, 20, 5)


def test_the_time_left_follows_from_what_is_done():
    world = World(seconds=100.0)
    watch = world.watch()
    world.seconds += 20
    assert watch.time() == "0:20"
    for event in (BASELINE, plan(), StageStarted("s", "search", TRIALS)):
        watch(event)
    assert watch.time() == "0:20, about 3:00 left"
    watch(plan(seconds=60.0))
    assert watch.time() == "0:20, about 0:40 left"
    world.seconds += 70
    assert watch.time().endswith("about 0:00 left")


def test_the_best_is_told_against_the_committed_prompts():
    watch = World().watch()
    assert watch.score() == "the committed prompts are being measured"
    watch(BASELINE)
    assert watch.score() == "0.500 (0.40 to 0.60) under the committed prompts, the best so far"
    watch(leader(0.75))
    assert watch.score() == "0.500 → 0.750, lift +0.250 (-0.01 to +0.33) on 16 validation rows"
    watch(replace(leader(0.5), lift=replace(leader(0.5).lift, mean=0.0)))
    assert watch.score().endswith("under the committed prompts, the best so far")


def test_the_scores_before_and_after_differ_by_the_lift():
    """The committed prompts' score on all rows is another one than on validation rows."""
    watch = World().watch()
    for event in (BASELINE, leader(0.76)):
        watch(event)
    assert watch.score().startswith("0.510 → 0.760, lift +0.250 ")


def test_a_line_tells_stage_best_spending_and_time():
    world = World(seconds=0.0, answers=60)
    watch = world.watch()
    for event in (BASELINE, leader(0.75), StageProgress("s", "decision", 3, 20)):
        watch(event)
    world.seconds = 30.0
    assert watch.line() == (
        "decision 3 of 20 case runs; best 0.750; 0 calls billed, 0 tokens; 60 answered, "
        "cached ones too; 2 a second, 0 under way; 0:30"
    )


def test_a_process_that_another_leads_tells_no_stage_of_its_own():
    watch = World().watch()
    watch(LeadTaken("s", "other", mine=False))
    assert watch.line().startswith("shared; 0 calls billed, ")
    assert watch.score() == "the process that leads tells it"
    watch(LeadTaken("s", "this", mine=True))
    watch(StageStarted("s", "baseline", 20))
    assert watch.line().startswith("baseline 0 of 20 case runs; ")
    assert watch.score() == "the committed prompts are being measured"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.9, "0:59"), (750, "12:30"), (3_723, "1:02:03")]
)
def test_times_read_as_on_a_clock(seconds, shown):
    assert format_time(seconds) == shown
