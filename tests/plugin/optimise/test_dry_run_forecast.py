"""What a dry run expects of calls and tokens, by the lock or by the last search."""

import itertools
import json
import shutil

import pytest
from optimize_project import (
    PRICES,
    live_calls,
    optimize,
    private_files,
    run,
    write_project,
    written,
)

LAST = "dry run     no LM call was made, nothing is written"


def test_the_lines_are_no_wider_than_the_terminal(pytester, monkeypatch):
    write_project(pytester)
    run(pytester)
    monkeypatch.setenv("COLUMNS", "80")
    for limit in ("90", "9000"):
        lines = optimize(pytester, "--mipro-dry-run", f"--mipro-max-calls={limit}").outlines
        told = lines[lines.index("tests       test_parity") : lines.index(LAST) + 1]
        assert max(map(len, told)) <= 80


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


@pytest.mark.usefixtures("wide")
def test_a_first_search_that_a_limit_cut_short_tells_what_its_baseline_took(pytester):
    write_project(pytester)
    short = optimize(pytester, "--mipro-max-calls=90")
    short.stdout.fnmatch_lines(["*search ended early: the limit of 90 calls*"])
    result = optimize(pytester, "--mipro-dry-run", "--mipro-max-calls=90")
    result.stdout.fnmatch_lines(
        [
            "LM calls    the last run, which a limit cut short, made 40 distinct calls for its ba*",
            "            search     * calls, *",
            "            the limit will end the search at about trial *; enough for all: * calls",
        ]
    )


def test_a_search_that_a_limit_kept_from_instructions_is_no_forecast(pytester):
    prices = f"{PRICES}    test/dear 1000000 1000000\nmipro_max_output_tokens = 9\n"
    write_project(pytester, ini=prices)
    run(pytester)
    dear = "--mipro-proposer-model=test/dear"
    told = optimize(pytester, "--mipro-dry-run", dear).outlines
    result = optimize(pytester, dear, "--mipro-max-cost=9")
    missing = "mipro: no new instructions in round 1, 2: the budget holds no proposals"
    result.stdout.fnmatch_lines(["next *a higher limit*", missing])
    again = optimize(pytester, "--mipro-dry-run", dear).outlines
    (line,) = (line for line in told if line.lstrip().startswith("in all"))
    assert line in again


@pytest.mark.usefixtures("wide")
def test_limits_are_held_against_what_the_last_run_took(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-diff")
    limit = "            the limit will end the "
    for calls, end in ((50, "run before its first trial"), (90, "search at about trial")):
        result = optimize(pytester, "--mipro-dry-run", f"--mipro-max-calls={calls}")
        result.stdout.fnmatch_lines([f"{limit}{end}*; enough for all: * calls"])
    result = optimize(pytester, "--mipro-dry-run", "--mipro-max-calls=900")
    result.stdout.no_fnmatch_line(f"{limit}*")
