"""Ask the searcher for a round's programs: none that was tried, and none that costs too much."""

from __future__ import annotations

from dataclasses import replace

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.rounds.trial_parts import Trial, fits_alone
from pytest_mipro.optimizer.search.searcher import Searcher
from pytest_mipro.optimizer.search.space import Assignment, Space

# So many programs that cost too much are passed over in a round, as the searcher finds the others.
_PASSED_OVER = 24


class Asking:
    """Asks a searcher, which knows of all earlier rounds, for trials like a `draft`.

    A user's searcher may ask for what was tried, or ignore what it is told.
    """

    def __init__(self, state: SearchState, space: Space, draft: Trial) -> None:
        self._draft = draft
        self._seen = {*state.record.assessments, *state.record.dropped}
        self.passed_over: list[Trial] = []
        """The trials that did not fit."""
        self._searcher: Searcher | None
        self.renew(state, space)

    def renew(self, state: SearchState, space: Space) -> None:
        """Go on in the space of more candidates.

        Of the trials that still run the searcher is told nothing: to count their choices as tried
        took 1.3 ± 0.6 points off the benchmark's worlds.
        """
        record = state.record
        seed = state.run.settings.seed + 1_000_003 * state.round  # another stream each round
        searcher = state.run.services.searcher(space, seed)
        self._row_weight = state.trusted_row_weight
        for item in record.known:
            searcher.tell(item.assignment, item.estimate, self._row_weight * item.rows)
        for assignment in sorted(record.dropped):
            searcher.tell(assignment, 0.0, self._row_weight * len(self._draft.rows))
        self._searcher = searcher

    def next(self, state: SearchState) -> Trial | None:
        """Return the next trial that is new, None if there is none: then no other follows.

        Those that do not fit, even alone, are passed over, up to a bound.
        """
        for _ in range(len(self._seen) + _PASSED_OVER if self._searcher else 0):
            assignment = self._searcher.ask() if self._searcher else None
            if assignment is None or len(self.passed_over) >= _PASSED_OVER:
                break
            if assignment in self._seen:
                continue
            trial = replace(self._draft, assignment=assignment)
            self._seen.add(assignment)
            if fits_alone(state, trial):
                return trial
            self.passed_over.append(trial)
        self._searcher = None
        return None

    def tell(self, assignment: Assignment, score: float, rows: float) -> None:
        """Tell the searcher what score (0…1) an assignment has by so many rows."""
        if self._searcher:
            self._searcher.tell(assignment, score, self._row_weight * rows)
