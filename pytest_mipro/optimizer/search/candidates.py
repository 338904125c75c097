"""The candidates of a search: each module's instructions and demo sets, and their programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_mipro.optimizer.search.searcher import Assignment, Space
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.signature import Signature


@dataclass(frozen=True)
class ModuleCandidates:
    """One module's candidates; index 0 of both is the committed one."""

    signature: Signature
    instructions: tuple[str, ...]
    demo_sets: tuple[tuple[Demo, ...], ...]

    def prompt(self, instruction: int, demos: int) -> Prompt:
        """Return the prompt of one choice of instruction and demo set."""
        return Prompt(self.instructions[instruction], self.demo_sets[demos])


@dataclass(frozen=True)
class Candidates:
    """The candidates of all modules; an assignment has two dimensions a module, in their order."""

    modules: tuple[ModuleCandidates, ...]

    @property
    def space(self) -> Space:
        """The search space: instruction and demo set of each module, one after the other."""
        dimensions = {
            f"{index}:{module.signature.name}.{part}": len(choices)
            for index, module in enumerate(self.modules)
            for part, choices in (("instruction", module.instructions), ("demos", module.demo_sets))
        }
        return Space(tuple(dimensions.values()), tuple(dimensions))

    @property
    def committed(self) -> Assignment:
        """The assignment of the committed prompts."""
        return (0,) * (2 * len(self.modules))

    def program(self, assignment: Assignment) -> dict[Path, Prompt]:
        """Return the prompts of an assignment by prompt path."""
        return {
            module.signature.prompt_path: module.prompt(*assignment[2 * index : 2 * index + 2])
            for index, module in enumerate(self.modules)
        }

    def choice_of(self, signature: Signature, instruction: str) -> tuple[int, int] | None:
        """Return the dimension and choice of a module's instruction; None: it is no candidate."""
        for index, module in enumerate(self.modules):
            if module.signature == signature and instruction in module.instructions:
                return 2 * index, module.instructions.index(instruction)
        return None

    def with_modules(self, committed: Mapping[Signature, Prompt]) -> Candidates:
        """Return the candidates with more modules, each under its committed prompt."""
        more = [
            ModuleCandidates(signature, (prompt.instruction,), (prompt.demos,))
            for signature, prompt in committed.items()
        ]
        return Candidates((*self.modules, *more))

    def first(self, incumbent: Assignment, known: Candidates) -> tuple[Assignment, ...]:
        """Return what is worth a trial before the searcher chooses: what is new since `known`.

        TPE rarely tries a category that it has no score of. First come all modules' j-th new
        instruction and demo set together, then one module at a time beside the incumbent's choices,
        which credits that module alone. In the first round, plain few-shot comes first of all.
        """
        sizes = zip(known.space.sizes, self.space.sizes, strict=True)
        fresh = [range(before, now) for before, now in sizes]
        together = [
            tuple(
                choices[min(step, len(choices) - 1)] if choices else choice
                for choices, choice in zip(fresh, incumbent, strict=True)
            )
            for step in range(max(map(len, fresh), default=0))
        ]
        single = [
            (*incumbent[:place], *both[place : place + 2], *incumbent[place + 2 :])
            for both in together
            for place in range(0, len(incumbent), 2)
        ]
        few_shot = [self._few_shot(fresh)] if incumbent == known.committed else []
        tried = dict.fromkeys((*few_shot, *together, *single))
        return tuple(assignment for assignment in tried if assignment != incumbent)

    def _few_shot(self, fresh: Sequence[range]) -> Assignment:
        """Return the committed instructions with each module's largest new demo set."""
        assignment = list(self.committed)
        for index, module in enumerate(self.modules):
            sizes = [len(demos) for demos in module.demo_sets]
            if new := fresh[2 * index + 1]:
                assignment[2 * index + 1] = max(new, key=sizes.__getitem__)
        return tuple(assignment)


def committed_candidates(
    signatures: Sequence[Signature], prompts: Mapping[Path, Prompt]
) -> Candidates:
    """Return the candidates that hold the committed prompts alone."""
    return Candidates(()).with_modules({item: prompts[item.prompt_path] for item in signatures})


def extended(
    module: ModuleCandidates, instructions: Sequence[str], demo_sets: Sequence[tuple[Demo, ...]]
) -> ModuleCandidates:
    """Return the module's candidates with these added, without duplicates."""
    distinct: dict[str, tuple[Demo, ...]] = {}  # by digest: demos hold JSON values, without a hash
    for demos in (*module.demo_sets, *demo_sets):
        distinct.setdefault(Prompt("", demos).digest(), demos)
    return replace(
        module,
        instructions=tuple(dict.fromkeys((*module.instructions, *instructions))),
        demo_sets=tuple(distinct.values()),
    )
