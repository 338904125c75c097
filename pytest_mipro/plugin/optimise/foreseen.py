"""Refuse in a dry run what the run itself would refuse: it sets nothing up and calls nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import pytest

from pytest_mipro.errors import UsageError
from pytest_mipro.plugin.collecting.plan import PlannedCase, StudyKey
from pytest_mipro.plugin.collecting.prompt_check import reachable_modules
from pytest_mipro.plugin.config.cache_folder import ini_folder, mipro_folder
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.config.study_files import study_file
from pytest_mipro.plugin.gate.usage_file import read_usage
from pytest_mipro.plugin.measuring.fixtures import check_lasting
from pytest_mipro.runtime.signature.signature import Signature


def refuse_foreseen(
    config: pytest.Config,
    key: StudyKey,
    cases: Sequence[PlannedCase],
    rerun_safe: Callable[[PlannedCase], Collection[str]],
) -> None:
    """Raise what the run would raise for fixtures that don't last, or for want of a module.

    The modules are those of the last gate run; without one, nothing is known of them.
    """
    items = [(case.item, rerun_safe(case)) for case in cases]
    check_lasting([(item, safe) for item, safe in items if isinstance(item, pytest.Function)])
    names = modules_called(config, key)
    if names is None:
        return
    called = called_before(cases, names)
    known = {signature.label for signature in called} >= {*names}
    if known and not any(signature.optimize for signature in called):
        raise UsageError(
            f"study {key.name}: in the last gate run its cases called no LM module that can be "
            "optimised, fixtures aside; call the pipeline in the test, and run `pytest` once more"
        )


def modules_called(config: pytest.Config, key: StudyKey) -> list[str] | None:
    """Return the names of the modules that the cases of the study's last gate run called.

    None where no such run is known.
    """
    study = relative_path(key.lock, ini_folder(config))
    usage = read_usage(study_file(mipro_folder(config), "usage", study))
    return None if usage is None else [part.module for part in usage.modules]


def called_before(cases: Sequence[PlannedCase], names: Sequence[str]) -> Sequence[Signature]:
    """Return the modules of these names, as far as the test files lead to them."""
    known = (getattr(case.item, "module", None) for case in (cases if names else ()))
    files = dict.fromkeys(file for file in known if file is not None)  # no set: order names errors
    found = (module.signature for file in files for module in reachable_modules(vars(file)))
    return [each for signature in found for each in signature.called_as(names)]
