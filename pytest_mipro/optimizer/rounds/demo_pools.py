"""Each module's demo candidates, and what their replies scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mipro.runtime.prompts.prompt import Demo, Prompt


@dataclass(frozen=True)
class DemoPools:
    """The `demos` of each module, at most one a row, and `scores` (0…1) by the digest of a demo.

    What has no score is right: a label, or a demo that is committed. The scores are of all demos
    that ever were in a pool.
    """

    demos: Mapping[Path, tuple[Demo, ...]] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)

    def of(self, path: Path) -> tuple[Demo, ...]:
        """Return a module's demos."""
        return self.demos.get(path, ())

    def with_older(self, older: DemoPools) -> DemoPools:
        """Return the pools joined, newer demos first; of a row the better stays, then the newer."""
        scores = {**older.scores, **self.scores}
        joined = {}
        for path in {**older.demos, **self.demos}:
            before = {demo.case: demo for demo in older.of(path)}
            newer = tuple(
                demo
                for demo in self.of(path)
                if demo.case not in before
                or score_of(demo, scores) >= score_of(before[demo.case], scores)
            )
            rows = {demo.case for demo in newer}
            joined[path] = newer + tuple(demo for demo in older.of(path) if demo.case not in rows)
        return DemoPools(joined, scores)


def demo_digest(demo: Demo) -> str:
    """Return the digest of a demo."""
    return Prompt("", (demo,)).digest()


def score_of(demo: Demo, scores: Mapping[str, float]) -> float:
    """Return what a demo's reply scored, 0…1."""
    return scores.get(demo_digest(demo), 1.0)
