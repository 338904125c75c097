"""DSPy's optimisers as contestants; runs in the benchmark's own environment.

Takes a `Contest` as arguments, and writes what was measured into its folder. DSPy is used as its
documentation shows: its own adapters, defaults and cache (an empty one), and its optimisers'
presets. The program is one `dspy.Predict` a module, as the modules of pytest-mipro ask for no
reasoning either.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from typing import TYPE_CHECKING, Any

import dspy

from benchmarks.comparison.contest import Contest, told
from benchmarks.comparison.dspy_source import program_source
from benchmarks.comparison.measuring import measured, write
from benchmarks.comparison.metric import metric_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.comparison.world import Row, World

    Optimiser = Callable[["Peer"], Any]

# GEPA reflects on training rows and chooses on validation rows; its documentation asks for "the
# smallest valset that is just large enough", and as much training as there is: a third validates.
GEPA_VALIDATION = 1 / 3


class Peer:
    """A DSPy program of a world, and the optimiser to improve it with."""

    def __init__(self, contest: Contest) -> None:
        self.world = world = contest.drawn()
        self.threads = contest.concurrency
        self.seed = seed = contest.seed
        self.rows = self._examples(world.rows)
        random.Random(seed).shuffle(self.rows)
        self.program = program_of(world, contest.folder)
        self._optimiser = SETUPS[contest.optimiser]
        self._score = metric_of(world.stages[-1])

    def answers(self) -> list[Any]:
        """Return what the program says to each test row."""
        evaluate = dspy.Evaluate(
            devset=self._examples(self.world.test_rows),
            metric=self.metric,
            num_threads=self.threads,
            max_errors=len(self.world.test_rows),
            display_progress=False,
        )
        found = evaluate(self.program).results
        return [predicted.get(self.world.answer) for _, predicted, _ in found]

    def optimise(self) -> str:
        """Put the optimised program in the place of the program."""
        self.program = self._optimiser(self)
        return "done"

    def metric(self, gold: Any, predicted: Any, trace: Any = None) -> float:
        """Return the score of the answer, as the test of pytest-mipro gives it.

        Where demos are gathered, DSPy passes a `trace`: then only what is all right counts.
        """
        score = self._score(predicted.get(self.world.answer), gold[self.world.answer])
        return score if trace is None else float(score == 1)

    def feedback(
        self, gold: Any, predicted: Any, trace: Any = None, name: Any = None, part: Any = None
    ) -> Any:
        """Return the score with the textual feedback that GEPA asks for."""
        del trace, name, part
        right, given = gold[self.world.answer], predicted.get(self.world.answer)
        score = self._score(given, right)
        if score == 1:
            return dspy.Prediction(score=1.0, feedback=f"Correct: it is {right!r}.")
        text = f"Incorrect: the answer was {given!r}, but the correct answer is {right!r}."
        return dspy.Prediction(score=score, feedback=text)

    def _examples(self, rows: Sequence[Row]) -> list[Any]:
        answer = self.world.answer
        return [
            dspy.Example(**row.inputs, **{answer: row.answer}).with_inputs(*row.inputs)
            for row in rows
        ]


def mipro(effort: Any) -> Optimiser:
    """Return MIPROv2 with the preset; it takes a fifth of the rows for training, as it does."""

    def optimise(peer: Peer) -> Any:
        # A seed of 0 would be read as none.
        optimiser = dspy.MIPROv2(
            metric=peer.metric, auto=effort, num_threads=peer.threads, seed=peer.seed + 1
        )
        return optimiser.compile(peer.program, trainset=peer.rows)

    return optimise


def bootstrap(sets: int) -> Optimiser:
    """Return the random search over that many demo sets, and three that it always tries.

    Half of the rows validate: without that all do, demos among them, for no more score and twice
    the calls.
    """

    def optimise(peer: Peer) -> Any:
        optimiser = dspy.BootstrapFewShotWithRandomSearch(
            metric=peer.metric, num_threads=peer.threads, num_candidate_programs=sets
        )
        half = len(peer.rows) // 2
        return optimiser.compile(peer.program, trainset=peer.rows[:half], valset=peer.rows[half:])

    return optimise


def gepa(effort: Any) -> Optimiser:
    """Return GEPA with the preset and the metric's textual feedback."""

    def optimise(peer: Peer) -> Any:
        optimiser = dspy.GEPA(
            metric=peer.feedback,
            auto=effort,
            num_threads=peer.threads,
            reflection_lm=dspy.settings.lm.copy(temperature=1.0),
            seed=peer.seed,
        )
        cut = round(GEPA_VALIDATION * len(peer.rows))
        validation, training = peer.rows[:cut], peer.rows[cut:]
        return optimiser.compile(peer.program, trainset=training, valset=validation)

    return optimise


SETUPS: Mapping[str, Optimiser] = {
    "dspy-mipro-light": mipro("light"),
    "dspy-mipro-medium": mipro("medium"),
    "dspy-bootstrap": bootstrap(16),
    "dspy-bootstrap-10": bootstrap(10),
    "dspy-gepa-light": gepa("light"),
    "dspy-gepa-medium": gepa("medium"),
}


def program_of(world: World, folder: Path) -> Any:
    """Return the world's program, from a file, so that DSPy can read its source."""
    path = folder / "program.py"
    path.write_text(program_source(world), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("program", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} can't be imported")
    module = sys.modules["program"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Program()


def main() -> int:
    """Measure one optimiser on one draw of a world."""
    contest = told()
    dspy.configure_cache(disk_cache_dir=str(contest.folder / "cache"))
    # A reply that can't be read is a wrong answer: DSPy would end an optimisation at the tenth.
    lm = dspy.LM(contest.model, api_base=contest.url, api_key="none")
    dspy.configure(lm=lm, max_errors=1_000_000)
    peer = Peer(contest)
    write(contest.folder, measured(contest.url, peer, peer.world))
    return 0


if __name__ == "__main__":
    sys.exit(main())
