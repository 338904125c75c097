"""A baseline of the tests' small world, measured, with its run and its events."""

from typing import Any

from optimizer_world import make_services, make_settings
from world_model import WorldClient

from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.measure_baseline import measure_baseline
from pytest_mipro.optimizer.run.plan import plan_of
from pytest_mipro.optimizer.run.study_run import StudyRun, study_run
from pytest_mipro.optimizer.study.case import Study


class Measurement:
    """A baseline, its run, and the events of it."""

    run: StudyRun
    baseline: Baseline
    events: list[Any]

    @property
    def row_calls(self) -> dict[str, int]:
        calls = self.baseline.expectation.calls
        return {row: sum(call.requests for call in made) for row, made in calls.items()}

    def event(self, kind: type) -> Any:
        (event,) = (event for event in self.events if isinstance(event, kind))
        return event


def measure(study: Study, client: WorldClient | None = None, **settings: Any) -> Measurement:
    made = Measurement()
    made.events = []
    services = make_services(client or WorldClient(), made.events)
    made.run = study_run(study, services, make_settings(**settings))
    try:
        made.baseline = measure_baseline(made.run)
        services.emit(plan_of(made.run, made.baseline))
    finally:
        made.run.evaluator.close()
    return made
