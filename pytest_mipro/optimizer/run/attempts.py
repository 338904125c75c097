"""Which tests' failing cases are attempted again, for the demos that they may give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.runtime.calls.trace import ModuleCall


def tests_to_attempt(
    runs: Iterable[CaseRun], demos: Mapping[Path, int], settings: OptimizerSettings
) -> frozenset[str]:
    """Return the tests that call a module which may hold demos and has few, or any by a teacher.

    `demos` counts those that modules have, by prompt path.
    """
    if not (settings.has("demos") and (settings.teacher_model or settings.has("attempts"))):
        return frozenset()

    def wants(call: ModuleCall) -> bool:
        signature = call.signature
        few = demos.get(signature.prompt_path, 0) < settings.enough_demos
        return call.shows_demos and signature.optimize and (few or bool(settings.teacher_model))

    return frozenset(run.case.test for run in runs if any(map(wants, run.calls)))
