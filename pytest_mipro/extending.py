"""The types that hooks, clients, searchers and proposal strategies take and return.

Import them from here: the files that define them may move. Each is documented field by field in its
own docstring; `pytest_mipro.plugin.hookspecs` lists the hooks, `pytest_mipro.errors` the errors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_mipro.optimizer.proposing.strategy import (
        Example,
        Grounding,
        InstructionStrategy,
        ProposalContext,
        ProposalRequest,
        ScoredInstruction,
    )
    from pytest_mipro.optimizer.run.events import Measured, TrialFinished
    from pytest_mipro.optimizer.run.result import StudyResult
    from pytest_mipro.optimizer.search.assessments import Assessment
    from pytest_mipro.optimizer.search.searcher import Searcher
    from pytest_mipro.optimizer.search.space import Assignment, CallShare, Space
    from pytest_mipro.optimizer.statistics.decide import Decision
    from pytest_mipro.optimizer.study.case import Case, Outcome, Study, TestSpec
    from pytest_mipro.optimizer.study.split import Split
    from pytest_mipro.runtime.calls.trace import ModuleCall
    from pytest_mipro.runtime.client.contract import (
        LMClient,
        Message,
        Reply,
        Request,
        ScriptedClient,
        Usage,
    )
    from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
    from pytest_mipro.runtime.signature.signature import Signature

__all__ = [
    "Assessment",
    "Assignment",
    "CallShare",
    "Case",
    "Decision",
    "Demo",
    "Example",
    "Grounding",
    "InstructionStrategy",
    "LMClient",
    "Measured",
    "Message",
    "ModuleCall",
    "Outcome",
    "Prompt",
    "ProposalContext",
    "ProposalRequest",
    "Reply",
    "Request",
    "ScoredInstruction",
    "ScriptedClient",
    "Searcher",
    "Signature",
    "Space",
    "Split",
    "Study",
    "StudyResult",
    "TestSpec",
    "TrialFinished",
    "Usage",
]

# Imported at first use: a client in a conftest.py must not load the optimiser in every run.
_HOMES = {
    "pytest_mipro.optimizer.proposing.strategy": (
        "Example Grounding InstructionStrategy ProposalContext ProposalRequest ScoredInstruction"
    ),
    "pytest_mipro.optimizer.run.events": "Measured TrialFinished",
    "pytest_mipro.optimizer.run.result": "StudyResult",
    "pytest_mipro.optimizer.search.assessments": "Assessment",
    "pytest_mipro.optimizer.search.searcher": "Searcher",
    "pytest_mipro.optimizer.search.space": "Assignment CallShare Space",
    "pytest_mipro.optimizer.statistics.decide": "Decision",
    "pytest_mipro.optimizer.study.case": "Case Outcome Study TestSpec",
    "pytest_mipro.optimizer.study.split": "Split",
    "pytest_mipro.runtime.calls.trace": "ModuleCall",
    "pytest_mipro.runtime.client.contract": "LMClient Message Reply Request ScriptedClient Usage",
    "pytest_mipro.runtime.prompts.prompt": "Demo Prompt",
    "pytest_mipro.runtime.signature.signature": "Signature",
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names.split():
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
