"""The candidates of each module as data of the page: texts, origins, effects, and who proposed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_mipro.optimizer.proposing.proposer_models import Proposal
from pytest_mipro.optimizer.run.events import CandidatesReady, ProposalsMade
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.search.candidates import ModuleCandidates
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.plugin.report.page.texts import Texts
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.json_values import to_text
from pytest_mipro.runtime.signature.signature import Signature, input_text

Proposed = Mapping[tuple[str, str], tuple[int, Proposal]]


def offered_by(result: StudyResult, ready: CandidatesReady | None) -> tuple[ModuleCandidates, ...]:
    """Return the modules' candidates in the end: the committed ones where no round had others."""
    if ready is not None:
        return ready.offered
    committed = ((each, result.committed[each.prompt_path]) for each in result.signatures)
    return tuple(
        ModuleCandidates(each, (prompt.instruction,), (prompt.demos,)) for each, prompt in committed
    )


def proposed_in(rounds: Iterable[ProposalsMade]) -> Proposed:
    """Return by module and instruction the round, and the proposal that it came from first."""
    found: dict[tuple[str, str], tuple[int, Proposal]] = {}
    for made in rounds:
        for proposal in made.proposals:
            key = proposal.signature.label, proposal.instruction
            found.setdefault(key, (made.round, proposal))
    return found


class ModuleData:
    """Writes the candidates of modules; a demo that several sets hold is written once."""

    def __init__(self, texts: Texts, proposed: Proposed, ways: Mapping[str, str]) -> None:
        self._texts = texts
        self._proposed = proposed
        self._ways = ways
        self.demos: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}

    def module(
        self,
        offered: ModuleCandidates,
        chosen: Sequence[int],
        effects: Sequence[Mapping[int, float]],
        result: StudyResult,
    ) -> dict[str, Any]:
        """Return the module's data; `chosen` is the finalist's instruction and demo set, if any.

        `effects` has the lifts of instructions and those of demo sets, by index.
        """
        signature = offered.signature
        origins = offered.origins
        instructions = [
            {
                "text": self._texts.add(text),
                "origin": origins[0][index] if index < len(origins[0]) else 0,
                "effect": effects[0].get(index),
                "by": self._by(signature, text) if index else None,
            }
            for index, text in enumerate(offered.instructions)
        ]
        demo_sets = [
            {
                "demos": [self._demo(demo) for demo in demos],
                "way": self._ways.get(Prompt("", demos).digest(), "") if index else "",
                "effect": effects[1].get(index),
            }
            for index, demos in enumerate(offered.demo_sets)
        ]
        path = signature.prompt_path
        return {
            "name": signature.label,
            "model": " and ".join(result.models_of(signature)),
            "instructions": instructions,
            "demo_sets": demo_sets,
            "chosen": list(chosen),
            "written": path in result.prompts and result.prompts[path] != result.committed[path],
        }

    def _by(self, signature: Signature, instruction: str) -> dict[str, Any] | None:
        known = self._proposed.get((signature.label, instruction))
        if known is None:
            return None
        number, proposal = known
        saw = [[message.role, self._texts.add(message.content)] for message in proposal.messages]
        said = self._texts.add(proposal.reply)
        return {"round": number, **asdict(proposal.plan), "saw": saw, "said": said}

    def _demo(self, demo: Demo) -> int:
        output = to_text(demo.output)
        shown = f"{demo.reasoning}\n\n{output}" if demo.reasoning else output
        key = Prompt("", (demo,)).digest()
        if key not in self._places:
            self._places[key] = len(self.demos)
            add = self._texts.add
            told = {"inputs": add(input_text(demo.inputs)), "output": add(shown)}
            self.demos.append({"case": demo.case, **told})
        return self._places[key]


def chosen_in(assignment: Assignment | None, place: int) -> Assignment:
    """Return an assignment's choices for a module, by the module's place; none without one."""
    return assignment[2 * place : 2 * place + 2] if assignment else ()
