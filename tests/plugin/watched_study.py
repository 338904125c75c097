"""Events of a study that is watched, and how it stands after them."""

from pytest_mipro.optimizer.run.events import Event, LeaderKnown, Measured, Plan
from pytest_mipro.optimizer.run.forecast import Forecast, StageForecast
from pytest_mipro.optimizer.statistics.intervals import Interval, PairedLift
from pytest_mipro.optimizer.statistics.lower_bound import Unit
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.plugin.optimise.screen.standing import Standing

TRIALS = 4
CALLS = {"baseline": 10, "bootstrap": 5, "proposals": 5, "search": 50, "decision": 20}
CALLS["final pass"] = 10


def plan(limits: Limits = Limits(), seconds: float | None = None) -> Plan:  # noqa: B008 - frozen
    stages = tuple(StageForecast(name, calls, Amount(calls)) for name, calls in CALLS.items())
    return Plan(
        study="s",
        modules=("m",),
        frozen=(),
        split=Split((), (), ()),
        rounds=3,
        trials=TRIALS,
        candidates=2,
        minibatch=16,
        forecast=Forecast(stages, {}),
        limits=limits,
        max_seconds=seconds,
        detectable=0.1,
        one_at_a_time=(),
    )


PLAN = plan()


def measured(score: float) -> Measured:
    return Measured(score, Interval(score - 0.1, score + 0.1), {"test_a": score}, 10, 10)


def leader(best: float) -> LeaderKnown:
    units = tuple(Unit(1 / 16, 0.2 + 0.1 * (number % 2)) for number in range(16))
    return LeaderKnown("s", best, PairedLift(0.25, 16, 0.95, 0.05, 16, units))


def stand(*events: Event) -> Standing:
    standing = Standing("s")
    for event in events:
        standing = standing.after(event)
    return standing
