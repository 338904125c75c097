"""`--mipro-storage`: a study that several pytest processes share, as the plugin sees it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.run.study_run import Services
from pytest_mipro.optimizer.shared.heartbeat import PROCESS_TIMEOUT
from pytest_mipro.optimizer.shared.leader_lease import DecidedElsewhere
from pytest_mipro.optimizer.shared.optimize_shared import optimize_shared
from pytest_mipro.optimizer.shared.worker import Membership
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.plugin.collecting.plan import StudyKey
from pytest_mipro.plugin.config.cache_folder import ini_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.lock.write_journal import file_digest
from pytest_mipro.runtime.calls.stack import is_project_file
from pytest_mipro.runtime.prompts.committed_prompts import with_variants
from pytest_mipro.runtime.signature.signature import defined_signatures

_FILES = pytest.StashKey["dict[str, Any]"]()


def shared_result(
    config: pytest.Config,
    key: StudyKey,
    study: Study,
    services: Services,
    settings: OptimizerSettings,
    storage: str,
) -> StudyResult | str:
    """Optimise the study with all processes that use the storage, given by its URL.

    Returns the result in the process that decided, in the others a line that names it.
    """
    membership = Membership(
        url=storage,
        process=f"{platform.node() or 'localhost'}:{os.getpid()}",
        root=ini_folder(config).resolve(),
        project=_project(config, key),
        timeout=PROCESS_TIMEOUT,
    )
    result = optimize_shared(study, services, settings, membership)
    if not isinstance(result, DecidedElsewhere):
        return result
    where = f"{result.leader} writes the files" if result.better else "nothing is written"
    return f"shared      decided by {result.leader}: {result.reason}; {where}"


def _project(config: pytest.Config, key: StudyKey) -> Mapping[str, Any]:
    """Return what the processes must have in common beside study and settings."""
    options = options_of(config)
    # Before the first study: what a study imports while it runs, only who ran the case has.
    if _FILES not in config.stash:
        root = ini_folder(config).resolve()
        loaded = {
            Path(file).resolve()
            for module in list(sys.modules.values())
            if (file := getattr(module, "__file__", None)) and is_project_file(file)
        }
        defined = defined_signatures()
        prompts = {it.prompt_path for signature in defined for it in with_variants(signature)}
        config.stash[_FILES] = {
            "Python files": _digests(loaded, root),
            "prompt files": _digests(prompts, root),
        }
    files = config.stash[_FILES]
    return {
        **files,
        "the lock": file_digest(key.lock),
        "the model": [options.model, options.max_output_tokens],
        "the version of pytest-mipro": version("pytest-mipro"),
    }


def _digests(paths: set[Path], root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): file_digest(path)
        for path in sorted(paths)
        if path.is_relative_to(root) and path.is_file()
    }
