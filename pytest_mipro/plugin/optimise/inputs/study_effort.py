"""The effort of a study: the one that was asked for, or a smaller one that its rows carry."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mipro.optimizer.study.case import Study, row_tags
from pytest_mipro.optimizer.study.settings import Effort, carried_effort, least_units
from pytest_mipro.optimizer.study.split import split_rows
from pytest_mipro.plugin.config.options import EFFORTS, Options
from pytest_mipro.runtime.text.number_words import counted


@dataclass(frozen=True)
class StudyEffort:
    """The effort `asked` for, and the one `taken`, for a study of so many `rows` in `units`.

    A unit is a row, or the rows of one cluster.
    """

    asked: Effort
    taken: Effort
    rows: int
    units: int

    @property
    def larger(self) -> Effort | None:
        """The next larger effort, if the rows carry it."""
        beyond = EFFORTS[EFFORTS.index(self.taken) + 1 :][:1]
        return next((each for each in beyond if least_units(each) <= self.units), None)

    @property
    def note(self) -> str:
        """Why less is taken than was asked for; "" where it is not less."""
        if self.taken == self.asked:
            return ""
        rows = counted(self.rows, "row")
        held = rows if self.rows == self.units else f"{counted(self.units, 'cluster')} of {rows}"
        needed = f"{self.asked}, which takes {least_units(self.asked)}"
        return f"{self.taken}: {held} carry no {needed} (with --mipro-trials it stays as asked)"


def effort_of(options: Options, study: Study) -> StudyEffort:
    """Return the effort of a study; where the trials are given, it is the one asked for."""
    asked = options.effort
    units = split_rows(row_tags(study.cases)).units
    count = len(set(units.values()))
    taken = asked if options.trials is not None else carried_effort(asked, count)
    return StudyEffort(asked, taken, len(units), count)
