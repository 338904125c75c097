"""What the search chooses from: instructions and demo sets of each module, and their programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.search.searcher import Space
from pytest_mipro.runtime.prompts.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.runtime.prompts.prompt import Demo
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
        sizes = [
            size
            for module in self.modules
            for size in (len(module.instructions), len(module.demo_sets))
        ]
        names = [
            f"{index}:{module.signature.name}.{part}"
            for index, module in enumerate(self.modules)
            for part in ("instruction", "demos")
        ]
        return Space(tuple(sizes), tuple(names))

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
        """Return the dimension and the choice of a module's instruction; None: it is none."""
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

        TPE rarely tries a category that it was told nothing of, so new candidates are shown to it:
        all modules' j-th new instruction and demo set together, then one module at a time beside
        the incumbent's partners, which tells the credit. Whoever tries them stops where the
        searcher's share of the trials begins. In the first round plain few-shot bootstrapping, the
        best of simple optimisers, comes before all.
        """
        fresh = [
            (
                range(len(old.instructions), len(new.instructions)),
                range(len(old.demo_sets), len(new.demo_sets)),
            )
            for old, new in zip(known.modules, self.modules, strict=True)
        ]
        longest = max((len(part) for pair in fresh for part in pair), default=0)
        together = [
            tuple(
                _nth(part, step, incumbent[2 * module + place])
                for module, pair in enumerate(fresh)
                for place, part in enumerate(pair)
            )
            for step in range(longest)
        ]
        single = [
            (
                *incumbent[: 2 * module],
                _nth(instructions, step, incumbent[2 * module]),
                _nth(demos, step, incumbent[2 * module + 1]),
                *incumbent[2 * module + 2 :],
            )
            for step in range(longest)
            for module, (instructions, demos) in enumerate(fresh)
        ]
        few_shot = self._few_shot(fresh) if incumbent == known.committed else ()
        tried = dict.fromkeys((*few_shot, *together, *single))
        return tuple(assignment for assignment in tried if assignment != incumbent)

    def _few_shot(self, fresh: Sequence[tuple[range, range]]) -> tuple[Assignment, ...]:
        """Return the committed instructions with each module's largest new demo set."""
        if not any(len(demos) for _, demos in fresh):
            return ()
        assignment = list(self.committed)
        for module, (_, demos) in enumerate(fresh):
            sizes = {len(self.modules[module].demo_sets[index]): index for index in reversed(demos)}
            if sizes:
                assignment[2 * module + 1] = sizes[max(sizes)]
        return (tuple(assignment),)


def _nth(choices: range, step: int, otherwise: int) -> int:
    return choices[min(step, len(choices) - 1)] if choices else otherwise


def committed_candidates(
    signatures: Sequence[Signature], prompts: Mapping[Path, Prompt]
) -> Candidates:
    """Return the candidates that hold the committed prompts alone."""
    return Candidates(
        tuple(
            ModuleCandidates(
                signature,
                (prompts[signature.prompt_path].instruction,),
                (prompts[signature.prompt_path].demos,),
            )
            for signature in signatures
        )
    )


def extended(
    module: ModuleCandidates,
    instructions: Sequence[str],
    demo_sets: Sequence[tuple[Demo, ...]],
) -> ModuleCandidates:
    """Return the module's candidates with more of them; what is there already is dropped."""
    return replace(
        module,
        instructions=tuple(dict.fromkeys((*module.instructions, *instructions))),
        demo_sets=_distinct((*module.demo_sets, *demo_sets)),
    )


def _distinct(demo_sets: Sequence[tuple[Demo, ...]]) -> tuple[tuple[Demo, ...], ...]:
    """Drop equal demo sets; demos hold JSON values, which have no hash."""
    seen: dict[str, tuple[Demo, ...]] = {}
    for demos in demo_sets:
        seen.setdefault(Prompt("", demos).digest(), demos)
    return tuple(seen.values())
