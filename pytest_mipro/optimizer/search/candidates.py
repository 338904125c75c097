"""The candidates of a search: each module's instructions and demo sets, and their programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.signature import Signature


@dataclass(frozen=True)
class ModuleCandidates:
    """One module's candidates; index 0 of both is the committed one.

    `origins` holds for both the index of the choice that each was made to improve on, itself for
    the committed one.
    """

    signature: Signature
    instructions: tuple[str, ...]
    demo_sets: tuple[tuple[Demo, ...], ...]
    origins: tuple[tuple[int, ...], tuple[int, ...]] = ((0,), (0,))

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
        origins = tuple(part for module in self.modules for part in module.origins)
        demos = tuple(
            part
            for module in self.modules
            for part in ((0,) * len(module.instructions), tuple(map(len, module.demo_sets)))
        )
        return Space(tuple(dimensions.values()), tuple(dimensions), origins, demos=demos)

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

    def untried(self, tried: Collection[Assignment]) -> bool:
        """Return whether a kind of move is untried: an instruction, a number of demos, or both."""
        changes: set[tuple[bool, bool]] = set()
        numbers: set[tuple[int, int]] = set()
        for assignment in tried:
            changed = [a != b for a, b in zip(assignment, self.committed, strict=True)]
            changes.add((any(changed[::2]), any(changed[1::2])))
            for index, module in enumerate(self.modules):
                numbers.add((index, len(module.demo_sets[assignment[2 * index + 1]])))
        wanted = {
            (index, len(demos))
            for index, module in enumerate(self.modules)
            for demos in module.demo_sets[1:]
            if demos
        }
        some = any(len(module.instructions) > 1 for module in self.modules)
        moves = {(some, False), (False, bool(wanted)), (some, bool(wanted))} - {(False, False)}
        return not (changes >= moves and numbers >= wanted)


def committed_candidates(
    signatures: Sequence[Signature], prompts: Mapping[Path, Prompt]
) -> Candidates:
    """Return the candidates that hold the committed prompts alone."""
    return Candidates(()).with_modules({item: prompts[item.prompt_path] for item in signatures})


def extended(
    module: ModuleCandidates,
    instructions: Sequence[str],
    demo_sets: Sequence[tuple[Demo, ...]],
    origin: Assignment = (0, 0),
) -> ModuleCandidates:
    """Return the module's candidates with these added, without duplicates.

    They were made to improve on the `origin`, an instruction and a demo set of the module.
    """
    distinct: dict[str, tuple[Demo, ...]] = {}  # by digest: demos hold JSON values, without a hash
    for demos in (*module.demo_sets, *demo_sets):
        distinct.setdefault(Prompt("", demos).digest(), demos)
    texts = tuple(dict.fromkeys((*module.instructions, *instructions)))
    counts = len(texts), len(distinct)
    origins = [
        (*known, *[of] * (count - len(known)))
        for known, of, count in zip(module.origins, origin, counts, strict=True)
    ]
    return replace(
        module,
        instructions=texts,
        demo_sets=tuple(distinct.values()),
        origins=(origins[0], origins[1]),
    )
