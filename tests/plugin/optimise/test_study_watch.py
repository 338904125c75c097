"""A study as it is watched, with a clock and counts that the test sets."""

from dataclasses import dataclass

import pytest
from watched_study import TRIALS, leader, measured, plan

from pytest_mipro.optimizer.run.events import BaselineMeasured, StageProgress, StageStarted
from pytest_mipro.optimizer.study.amount import NOTHING, Amount, Limits
from pytest_mipro.plugin.optimise.study_watch import StudyWatch, format_time

BASELINE = BaselineMeasured("s", measured(0.5), ())


@dataclass
class World:
    """What the watch asks: time, answers and the bill."""

    seconds: float = 0.0
    answers: int = 0
    billed: Amount = NOTHING

    def watch(self) -> StudyWatch:
        return StudyWatch(
            "tests/test_a.py", lambda: self.answers, lambda: self.billed, lambda: self.seconds
        )


def test_spending_is_told_against_what_is_limited():
    world = World(billed=Amount(1_200, 30_000, 120_000_000))
    watch = world.watch()
    assert watch.spent().startswith("1,200 calls billed, 30,000 tokens, $0.1200; 0 answers")
    watch(plan(Limits(calls=3_000, nanodollars=2_000_000_000)))
    assert watch.spent().startswith("1,200 of 3,000 calls billed, 30,000 tokens, $0.1200 of $2.00;")
    watch(plan(Limits(tokens=0)))
    assert "30,000 of 0 tokens" in watch.spent()


def test_an_unknown_price_is_no_price():
    world = World(billed=Amount(3, None, None))
    assert world.watch().spent() == "3 calls billed; 0 answers, 0 a second"


def test_the_rate_is_that_of_the_last_ten_seconds():
    world = World()
    watch = world.watch()
    rates = []
    for second in range(1, 31):
        world.seconds = float(second)
        world.answers += 20 if second <= 15 else 5
        rates.append(int(watch.spent().split(" answers, ")[1].split()[0]))
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
    assert watch.score() == (
        "best 0.750, +0.250 (-0.01 to +0.33) on 16 rows; before 0.500 (0.40 to 0.60)"
    )


def test_a_line_tells_stage_best_spending_and_time():
    world = World(seconds=0.0, answers=60)
    watch = world.watch()
    for event in (BASELINE, leader(0.75), StageProgress("s", "decision", 3, 20)):
        watch(event)
    world.seconds = 30.0
    assert watch.line() == (
        "decision 3 of 20 case runs; best 0.750; 0 calls billed, 0 tokens; 60 answers, 2 a second; "
        "0:30"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.9, "0:59"), (750, "12:30"), (3_723, "1:02:03")]
)
def test_times_read_as_on_a_clock(seconds, shown):
    assert format_time(seconds) == shown
