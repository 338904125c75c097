"""Which rows and clusters a dry run counts, and the lift that it promises to detect on them."""

import json
import re

import pytest
from optimize_project import optimize, write_project

from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.plugin.optimise.lines.row_lines import describe_power

FROM_FILE = """
from pytest_mipro import cases

@pytest.mark.mipro(threshold=0.1)
@cases("numbers.jsonl")
def test_parity(number, wanted):
    assert parity(number=number) == wanted
"""


def write_rows(pytester, rows):
    write_project(pytester, FROM_FILE)
    (pytester.path / "numbers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_equal_rows_with_other_ids_are_one_row(pytester):
    rows = [
        {"id": f"{twin}{n}", "number": str(n), "wanted": "odd"} for n in range(50) for twin in "ab"
    ]
    write_rows(pytester, rows)
    result = optimize(pytester, "--mipro-dry-run")
    result.stdout.fnmatch_lines(["rows        50: 10 training, 20 validation, 20 holdout"])


def test_equal_texts_with_other_labels_and_clusters_count_as_one(pytester):
    rows = [
        {"id": f"{n}-{label}", "number": str(n), "wanted": label}
        for n in range(40)
        for label in ("odd", "even")
    ]
    rows += [
        {"id": f"c{n}", "number": str(n), "wanted": "odd", "cluster": n % 10}
        for n in range(100, 140)
    ]
    write_rows(pytester, rows)
    text = " ".join(optimize(pytester).stdout.str().split())
    assert "70 rows with the inputs or the cluster of another" in text
    assert "they stay together and count as one, 50 in all, 20 to decide by" in text


def test_rows_of_a_cluster_are_told_from_clusters_in_the_plan_and_in_the_run(pytester):
    rows = [
        {"id": f"n{n}", "number": str(n), "wanted": ("even", "odd")[n % 2], "cluster": n // 2}
        for n in range(80)
    ]
    write_rows(pytester, rows)
    for option in ("--mipro-dry-run", "-v"):
        text = " ".join(optimize(pytester, option).stdout.str().split())
        assert "32 validation (16 clusters), 32 holdout (16 clusters)" in text
        assert (
            "the 32 holdout rows (16 clusters) alone detect a lift of 0.38 in 70 % of runs" in text
        )
    assert "on 80 cases of 80 rows (40 clusters)" in text
    assert re.search(r"lift \S+ \(\S+ to \S+\) on 32 holdout rows \(16 clusters\)", text)


@pytest.mark.parametrize("min_holdout", [5, 30], ids=["holdout", "no holdout"])
def test_the_dry_run_promises_the_lift_that_the_run_can_detect(pytester, min_holdout):
    write_project(pytester)
    option = ("-o", f"mipro_min_holdout={min_holdout}")
    planned, real = (
        re.findall(r"detect a lift of (\S+) in", " ".join(result.stdout.str().split()))
        for result in (optimize(pytester, "--mipro-dry-run", *option), optimize(pytester, *option))
    )
    assert len(planned) == 1
    assert planned == real


def test_what_is_promised_is_the_holdouts_own_where_validation_rows_join_the_decision():
    rows = tuple(f"v{n}" for n in range(75))
    assert describe_power(Split((), rows, ()), 0.25).startswith(
        "the 75 validation rows detect a lift of 0.25 in"
    )
    assert describe_power(Split((), rows, rows), 0.17).startswith(
        "the 75 holdout rows alone detect a lift of 0.17 in"
    )


def test_a_smaller_lift_takes_more_rows_and_a_later_look_is_told():
    split = Split((), (), tuple(f"h{n}" for n in range(75)))
    first = describe_power(split, 0.17)
    assert first == (
        "the 75 holdout rows alone detect a lift of 0.17 in 70 % of runs; one of 0.10 takes 420 in "
        "all"
    )
    later = describe_power(split, 0.2, look=2)
    assert later == first.replace(
        "0.17 in 70 % of runs", "0.20 in 70 % of runs (look 2 at this holdout)"
    )
