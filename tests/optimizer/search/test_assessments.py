"""What a record says of its rows: how far they scatter, and how much one tells."""

import pytest
from made_runs import assessed

from pytest_mipro.optimizer.search.assessments import Record


def record(*sds: float | None, rows: int = 25) -> Record:
    """Return a record of the committed program and one for each standard deviation of a lift."""
    programs = [assessed((0,), 0.5, number=-1, full=True)]
    programs += [
        assessed((number,), 0.5, number=number, rows=rows, lift_sd=sd)
        for number, sd in enumerate(sds, 1)
    ]
    return Record({item.assignment: item for item in programs})


def test_before_anything_is_measured_a_row_tells_what_pass_or_fail_does() -> None:
    assert record().row_weight == record(None).row_weight == pytest.approx(1.0)
    assert record().lift_sd == pytest.approx(0.636, abs=0.001)


def test_what_scatters_less_tells_more() -> None:
    rough, graded, equal = record(0.9), record(0.3), record(0.0)
    assert rough.row_weight < 1 < graded.row_weight < equal.row_weight
    # As many rows of one program as are taken to scatter like pass or fail: half the variance.
    assert equal.row_weight == pytest.approx(2.0)
    assert record(0.3, 0.3, 0.3).row_weight > graded.row_weight


def test_programs_count_by_their_rows() -> None:
    few = record(0.3, rows=5)
    assert 1 < few.row_weight < record(0.3).row_weight
    assert record(0.3, rows=1).row_weight == pytest.approx(1.0)  # one row does not scatter


def test_what_was_dropped_does_not_count() -> None:
    assert record(0.3).with_dropped((1,)).row_weight == pytest.approx(1.0)
