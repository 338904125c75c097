"""The candidates of a search: each module's instructions and demo sets, and their programs."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from pytest_mipro.optimizer.search.searcher import Assignment, Space
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.signature import Signature

# Which of a module's two dimensions a move changes: demos, both, or instruction.
_MOVES = ((1,), (0, 1), (0,))


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

    def first(
        self, incumbent: Assignment, tried: Collection[Assignment], turn: int
    ) -> list[Assignment]:
        """Return what is worth a trial before the searcher chooses: candidates in none of `tried`.

        TPE rarely tries a category that it has no score of. The kinds of move from the incumbent
        take turns, in all modules at once: new demos, new instructions with new demos, new
        instructions. Each move shows candidates that no earlier one showed, as long as there are
        any. `turn` says which kind begins.
        """
        shown = [set(choices) for choices in zip(incumbent, *tried, strict=True)]
        fresh = [
            deque(choice for choice in range(size) if choice not in seen)
            for size, seen in zip(self.space.sizes, shown, strict=True)
        ]
        moves: list[Assignment] = []
        kinds = islice(cycle(_MOVES), turn % len(_MOVES), None)
        while any(fresh):
            parts = next(kinds)
            program = list(incumbent)
            for place, choices in enumerate(fresh):
                if choices and place % 2 in parts:
                    program[place] = choices.popleft()
            if tuple(program) != incumbent:
                moves.append(tuple(program))
        return moves

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
