"""`--mipro-dry-run`: the plan, without an LM call, a set-up or a file."""

import itertools
import json
import re
import shutil

import pytest
from optimize_project import (
    TESTS,
    live_calls,
    optimize,
    private_files,
    remove_written,
    run,
    write_project,
    written,
)

from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.plugin.optimise.row_lines import describe_power


def test_without_a_lock_what_is_not_known_is_said(pytester):
    write_project(pytester)
    result = optimize(pytester, "--mipro-dry-run", "--mipro-max-calls=500")
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 1}
    result.stdout.fnmatch_lines(
        [
            "mipro: test_numbers.py",
            "tests       test_parity",
            "rows        40: 8 training, 16 validation, 16 holdout",
            "search      2 rounds, 6 trials of 8 rows*",
            "case runs   at most *",
            "modules     unknown before the first run*",
            "LM calls    unknown before the first run",
            "tokens      unknown before the first run, and so is the cost",
            "limits      500 calls",
            "dry run     no LM call was made, nothing is written",
        ]
    )
    assert live_calls(pytester) == 0
    assert written(pytester) == {}
    assert not (pytester.path / ".mipro").exists()


def test_with_a_lock_modules_and_calls_are_those_of_the_last_run(pytester):
    write_project(pytester)
    optimize(pytester)
    asked = live_calls(pytester)
    before, private = written(pytester), private_files(pytester.path)
    result = optimize(pytester, "--mipro-dry-run")
    result.stdout.fnmatch_lines(
        [
            "modules     pipeline.parity",
            f"LM calls    the last run made {asked} distinct calls",
        ]
    )
    assert live_calls(pytester) == 0
    assert (written(pytester), private_files(pytester.path)) == (before, private)


def summary(pytester):
    (bill,) = (pytester.path / ".mipro" / "bills").glob("*.jsonl")
    return json.loads(bill.read_text().splitlines()[-1])


def expected(result):
    """Return the lines of the dry run that tell calls and tokens by stage."""
    lines = result.outlines
    first = next(n for n, line in enumerate(lines) if line.startswith("expected"))
    return list(itertools.takewhile(lambda line: line.startswith(" "), lines[first + 1 :]))


def test_each_stage_is_expected_to_take_what_it_took_the_last_time(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-diff")
    stages = summary(pytester)["stages"]
    assert {"baseline", "proposals", "search"} <= set(stages)
    told = expected(optimize(pytester, "--mipro-dry-run"))
    for stage, took in stages.items():
        counted = f"{took['calls']:,} calls, {took['tokens']:,} tokens"
        assert any(line.startswith(f"{'':<12}{stage:<11}{counted}") for line in told), stage


def test_a_longer_search_is_expected_to_take_as_much_more(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-diff")
    before = summary(pytester)
    result = optimize(pytester, "--mipro-dry-run", "--mipro-trials=60")
    (line,) = (line for line in expected(result) if line.split()[0] == "search")
    calls = int(line.split()[1].replace(",", ""))
    assert calls > 3 * before["stages"]["search"]["calls"]


def test_a_run_that_is_refused_leaves_what_the_last_one_took_known(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-diff")
    told = optimize(pytester, "--mipro-dry-run").outlines
    assert optimize(pytester, "--mipro-max-calls=41").ret == pytest.ExitCode.TESTS_FAILED
    again = optimize(pytester, "--mipro-dry-run")
    start = next(n for n, line in enumerate(told) if line.startswith("LM calls"))
    assert expected(again)
    assert told[start] in again.outlines
    assert all(line in again.outlines for line in told[start : start + 4])


def test_on_another_machine_the_lock_tells_calls_and_no_tokens(pytester):
    write_project(pytester)
    optimize(pytester)
    asked = live_calls(pytester)
    shutil.rmtree(pytester.path / ".mipro")
    optimize(pytester, "--mipro-dry-run").stdout.fnmatch_lines(
        [
            "modules     pipeline.parity",
            f"LM calls    the run that wrote the lock made {asked} distinct calls",
            "tokens      unknown before the first run on this machine, and so is the cost",
        ]
    )


def test_the_plan_holds_at_least_the_case_runs_of_the_real_run(pytester):
    write_project(pytester)
    plan = optimize(pytester, "--mipro-dry-run").stdout.str()
    runs = int(plan.partition("case runs   at most ")[2].partition(",")[0])
    tests = pytester.path / "test_numbers.py"
    count = 'def test_parity(number):\n    with open("runs.txt", "a") as file: file.write("x")\n'
    tests.write_text(tests.read_text().replace("def test_parity(number):\n", count))
    optimize(pytester)
    made = len((pytester.path / "runs.txt").read_text())
    assert runs / 2 < made <= runs


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


def test_no_fixture_is_set_up(pytester):
    conftest = """
import pytest
@pytest.fixture(scope="module")
def paid():
    from pipeline import parity
    return parity(number="1")
"""
    source = TESTS.replace("test_parity(number)", "test_parity(number, paid)")
    write_project(pytester, source, conftest=conftest)
    assert optimize(pytester, "--mipro-dry-run").ret == 0
    assert live_calls(pytester) == 0


def test_skipped_cases_are_not_planned(pytester):
    source = (
        TESTS
        + """
@pytest.mark.mipro
@pytest.mark.skip(reason="later")
@pytest.mark.parametrize("number", range(100, 150))
def test_skipped(number): ...

@pytest.mark.mipro
@pytest.mark.xfail(reason="known")
@pytest.mark.parametrize("number", range(200, 250))
def test_expected_to_fail(number): ...
"""
    )
    write_project(pytester, source)
    optimize(pytester, "--mipro-dry-run").stdout.fnmatch_lines(["rows        40: *"])


def test_a_fixture_that_cant_serve_is_refused_in_the_dry_run_too(pytester):
    conftest = "\nimport pytest\n@pytest.fixture\ndef desk(): return 1\n"
    source = TESTS.replace("test_parity(number)", "test_parity(number, desk)")
    write_project(pytester, source, conftest=conftest)
    result = optimize(pytester, "--mipro-dry-run")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_an_interrupted_writing_is_not_finished_by_a_dry_run(pytester):
    write_project(pytester)
    folder = pytester.mkdir(".mipro")
    (folder / "pending-writes.json").write_text("[]")
    optimize(pytester, "--mipro-dry-run")
    assert (folder / "pending-writes.json").exists()
    remove_written(pytester)
    run(pytester)
    assert not (folder / "pending-writes.json").exists()


PRICES = "mipro_max_demo_tokens = 60\nmipro_prices =\n    test/fake 100 1000\n    test/other 1 1\n"


def test_after_a_gate_run_it_knows_modules_calls_and_tokens(pytester):
    write_project(pytester, ini=PRICES)
    run(pytester)
    (usage,) = (pytester.path / ".mipro" / "usage").glob("*.json")
    measured = json.loads(usage.read_text())
    assert (measured["rows"], measured["cases"], measured["model"]) == (40, 40, "test/fake")
    run(pytester, "-k", "test_parity[7]")  # a look at one case leaves the forecast as it is
    result = optimize(pytester, "--mipro-dry-run", "--mipro-max-calls=90")
    result.stdout.fnmatch_lines(
        [
            "modules     pipeline.parity",
            "LM calls    the last gate run made 40 distinct calls",
            "forecast    expected, by stage: at today's prices, by these calls",
            "            baseline   40 calls, * tokens, $*",
            "            in all     * calls, * tokens, $*",
            "            * tokens, $* without new demos, * tokens, $* with the most",
            "            test/fake: * calls, * tokens, $*",
            "            time: unknown*",
            "            the limit will end the search at about trial *; enough for all: * calls",
        ]
    )
    assert live_calls(pytester) == 0
    assert measured["lending"] == 5  # the rows that pass
    only = optimize(pytester, "--mipro-dry-run", "--mipro-only=instructions")
    assert "new demos" not in only.stdout.str()
    usage.write_text(json.dumps({**measured, "rows": 0}))  # cut off, or edited
    optimize(pytester, "--mipro-dry-run").stdout.fnmatch_lines(["LM calls    unknown before *"])


def test_it_is_priced_for_the_model_that_is_asked_now(pytester):
    write_project(pytester, ini=PRICES)
    run(pytester)
    told = {}
    for model in ("test/fake", "test/other"):
        lines = optimize(pytester, "--mipro-dry-run", f"--mipro-model={model}").outlines
        (line,) = (line for line in lines if line.strip().startswith(f"{model}: "))
        told[model] = float(line.rpartition("$")[2].replace(",", ""))
    assert told["test/fake"] > 50 * told["test/other"] > 0


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


TIMED = """
from dataclasses import replace

untimed = Client.complete
async def timed(self, request):
    return replace(await untimed(self, request), latency=90.0)
Client.complete = timed
"""


def test_after_a_gate_run_it_knows_the_time(pytester):
    write_project(pytester, ini=PRICES, conftest=TIMED)
    run(pytester)
    timed = ["            time: about * min, if no reply is cached"]
    optimize(pytester, "--mipro-dry-run").stdout.fnmatch_lines(timed)
    other = optimize(pytester, "--mipro-dry-run", "--mipro-model=test/other")
    note = "            its replies are timed by those of test/fake"
    other.stdout.fnmatch_lines([*timed, note])
