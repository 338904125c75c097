"""What a plain run was measured with: each study's modules and their calls, sent on the reports.

A worker of pytest-xdist sees the calls, the controller compares with the lock and writes: so all of
it is JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.errors import UsageError
from pytest_mipro.plugin.collecting.plan import PLANNED
from pytest_mipro.plugin.collecting.studies import is_partial
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.gate.gate import calls_of
from pytest_mipro.plugin.gate.junit import PREFIX, case_properties
from pytest_mipro.plugin.lock.lock_builder import call_key, locked_module
from pytest_mipro.plugin.lock.lock_schema import LockedModule
from pytest_mipro.plugin.lock.write_journal import file_digest
from pytest_mipro.runtime.prompts.prompt_file import committed_prompt

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from pytest_mipro.plugin.gate.state import RunState
    from pytest_mipro.runtime.calls.context import ModuleCall


@dataclass(frozen=True)
class ModuleUse:
    """What the calls of one module with one model took; `cost` in US dollars, None: not known."""

    module: str
    model: str
    calls: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0

    def plus(self, other: ModuleUse) -> ModuleUse:
        """Return the sum, under this one's names."""
        known = self.cost is not None and other.cost is not None
        return ModuleUse(
            self.module,
            self.model,
            self.calls + other.calls,
            self.cached + other.cached,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
        )


@dataclass
class ObservedStudy:
    """A study as its reports tell it.

    `partial` says that not all of its cases were selected, `selected` how many were; `replaces` is
    the digest of the lock's bytes when the first report came. `uses` are by case.
    """

    lock: Path
    partial: bool
    selected: int
    replaces: str
    modules: list[LockedModule] = field(default_factory=list)
    demo_rows: set[str] = field(default_factory=set)
    uses: dict[str, tuple[ModuleUse, ...]] = field(default_factory=dict)

    @property
    def module_uses(self) -> tuple[ModuleUse, ...]:
        """What each module took with each model, by names."""
        total: dict[tuple[str, str], ModuleUse] = {}
        for use in (use for uses in self.uses.values() for use in uses):
            key = (use.module, use.model)
            total[key] = total[key].plus(use) if key in total else use
        return tuple(total[key] for key in sorted(total))


_STUDIES = pytest.StashKey[dict[str, ObservedStudy]]()


def observed_studies(config: pytest.Config) -> Mapping[str, ObservedStudy]:
    """Return what the run's reports told so far, by the lock's path."""
    return config.stash.get(_STUDIES, {})


def observe(state: RunState) -> None:
    """Have the reports of this process tell what their cases were measured with.

    Raises UsageError where `--mipro-update-lock` was given and part of a study's cases is selected,
    or nothing that could be locked.
    """
    observer = _Observer(state)
    state.config.pluginmanager.register(observer, "mipro-observer")
    if options_of(state.config).update_lock:
        if not observer.studies:
            raise UsageError(
                "--mipro-update-lock has nothing to lock: no selected test carries "
                "@pytest.mark.mipro; drop it, or select such a test"
            )
        for study, facts in observer.studies.items():
            if facts["partial"]:
                raise UsageError(
                    f"--mipro-update-lock writes the scores of whole studies, and only part of "
                    f"{study} is selected; drop the selection, or name its files whole"
                )


def record(config: pytest.Config, report: pytest.TestReport, data: Mapping[str, Any]) -> None:
    """Keep what a case's report tells; that of a case that runs again replaces the one before."""
    facts, path = data.get("facts"), data["plan"]["lock"]
    if facts is None:
        return
    studies = config.stash.setdefault(_STUDIES, {})
    if path not in studies:
        lock = Path(path)
        studies[path] = ObservedStudy(lock, facts["partial"], facts["selected"], file_digest(lock))
    study = studies[path]
    study.uses[report.nodeid] = tuple(ModuleUse(*use) for use in facts["uses"])
    for entry in facts["modules"]:
        module = LockedModule(**entry["module"])
        if module not in study.modules:
            study.modules.append(module)
        study.demo_rows.update(entry["demo_rows"])


class _Observer:
    """Adds the facts to the reports of a process that runs cases."""

    def __init__(self, state: RunState) -> None:
        self.studies: dict[str, dict[str, Any]] = {
            key.name: {
                "partial": is_partial(state.config, key, members),
                "selected": len(members),
            }
            for key, members in state.studies.items()
        }
        self._told: set[tuple[str, tuple[str, str, str]]] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add to a case's report what its calls took, and the modules that no report told yet."""
        report = yield
        data: dict[str, Any] | None = getattr(report, "mipro", None)
        case = item.stash.get(PLANNED, None)
        if case is None or data is None or "plan" not in data:
            return report
        calls = calls_of(item) if report.when == "call" else ()
        data["facts"] = {
            **self.studies[case.study.name],
            "uses": _uses(calls),
            "modules": self._new_modules(case.study.lock, calls),
        }
        if report.when == "call":
            _set_properties(item, report, data["case"])
        return report

    def _new_modules(self, lock: Path, calls: tuple[ModuleCall, ...]) -> list[dict[str, Any]]:
        found = []
        for call in calls:
            key = (str(lock), call_key(call))
            if key not in self._told:
                self._told.add(key)
                module = locked_module(call, {}, lock.parent)
                demos = committed_prompt(call.signature).demos
                found.append(
                    {"module": asdict(module), "demo_rows": sorted({demo.case for demo in demos})}
                )
        return found


def _set_properties(item: pytest.Item, report: pytest.TestReport, data: Mapping[str, Any]) -> None:
    """Give the case its JUnit properties, those of this call alone where it was called before."""
    others = [entry for entry in item.user_properties if not entry[0].startswith(PREFIX)]
    item.user_properties[:] = [*others, *case_properties(data)]
    report.user_properties = list(item.user_properties)


def _uses(calls: tuple[ModuleCall, ...]) -> list[list[Any]]:
    total: dict[tuple[str, str], ModuleUse] = {}
    for call in calls:
        key = (call.signature.name, call.model)
        use = ModuleUse(
            *key,
            call.requests,
            call.requests if call.cached else 0,
            call.usage.prompt_tokens,
            call.usage.completion_tokens,
            call.cost,
        )
        total[key] = total[key].plus(use) if key in total else use
    return [list(vars(use).values()) for use in total.values()]
