"""What a dry run expects of calls, tokens, money and time, by the last gate run."""

import json
import re

import pytest
from optimize_project import (
    PRICES,
    TESTS,
    live_calls,
    optimize,
    run,
    write_project,
)

TIMED = """
from dataclasses import replace

untimed = Client.complete
async def timed(self, request):
    return replace(await untimed(self, request), latency=90.0)
Client.complete = timed
"""


def expected_in_all(pytester):
    result = optimize(pytester, "--mipro-dry-run")
    (line,) = (line for line in result.outlines if line.lstrip().startswith("in all "))
    return line


def time_of(result):
    (line,) = (line for line in result.outlines if line.strip().startswith("time: "))
    return line.strip()


@pytest.mark.usefixtures("wide")
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


def test_after_a_gate_run_it_knows_the_time(pytester):
    write_project(pytester, ini=PRICES, conftest=TIMED)
    run(pytester)
    timed = ["            time: about * min, if no reply is cached"]
    optimize(pytester, "--mipro-dry-run").stdout.fnmatch_lines(timed)
    other = optimize(pytester, "--mipro-dry-run", "--mipro-model=test/other")
    note = "            its replies are timed by those of test/fake"
    other.stdout.fnmatch_lines([*timed, note])


def test_it_is_priced_for_the_model_that_is_asked_now(pytester):
    write_project(pytester, ini=PRICES)
    run(pytester)
    told = {}
    for model in ("test/fake", "test/other"):
        lines = optimize(pytester, "--mipro-dry-run", f"--mipro-model={model}").outlines
        (line,) = (line for line in lines if line.strip().startswith(f"{model}: "))
        told[model] = float(line.rpartition("$")[2].replace(",", ""))
    assert told["test/fake"] > 50 * told["test/other"] > 0


def test_proposers_and_a_teacher_are_expected_at_their_own_prices(pytester):
    prices = "    test/strong 1000 1000\n    test/a 10 10\n    test/b 500000 500000\n"
    write_project(pytester, ini=PRICES + prices)
    run(pytester)
    models = "--mipro-teacher-model=test/strong", "--mipro-proposer-model=test/a,test/b"
    dry = optimize(pytester, "--mipro-dry-run", *models)
    ran = optimize(pytester, "--mipro-diff", "-v", *models)
    for result in (dry, ran):  # two summaries by the first, then they take turns
        text = "\n".join(result.outlines)
        calls = dict(re.findall(r"^ +test/(\w+): (\d+) calls?, ", text, re.MULTILINE))
        cost = dict(re.findall(r"^ +test/(\w+): .*\$([\d.,]+)$", text, re.MULTILINE))
        assert int(calls["strong"]) > 0
        assert int(calls["a"]) - int(calls["b"]) in {1, 2}
        assert float(cost["a"]) < 1 < float(cost["b"].replace(",", ""))


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("asked", "calls"), [("str(number)", 40), ("f'0{number}'", 80)])
def test_what_another_test_asks_of_a_row_counts_where_it_differs(pytester, asked, calls):
    other = TESTS.replace("test_parity(", "test_other(").replace("str(number)", asked)
    write_project(pytester, TESTS + other)
    run(pytester)
    optimize(pytester, "--mipro-dry-run").stdout.fnmatch_lines(
        [
            f"LM calls    the last gate run made {calls} distinct calls",
            f"*           baseline   {calls} calls, * tokens",
        ]
    )


@pytest.mark.usefixtures("wide")
def test_rows_that_came_after_the_gate_run_are_expected_in_the_baseline_too(pytester):
    write_project(pytester, TESTS.replace("range(40)", "range(10)"))
    run(pytester)
    write_project(pytester)
    optimize(pytester, "--mipro-dry-run").stdout.fnmatch_lines(
        [
            "LM calls    the last gate run made 10 distinct calls",
            "*           baseline   40 calls, * tokens",
        ]
    )


def test_rows_that_are_marked_to_be_skipped_take_nothing_from_the_forecast(pytester):
    marked = "[*range(40), *(pytest.param(n, marks=pytest.mark.skip) for n in range(40, 90))]"
    write_project(pytester, TESTS.replace("range(40)", marked))
    run(pytester)
    assert live_calls(pytester) == 40
    text = optimize(pytester, "--mipro-dry-run").stdout.str()
    assert "baseline   40 calls, " in text


@pytest.mark.parametrize("options", [(), ("-x",)])
def test_a_gate_run_with_errors_leaves_the_forecast_as_it_is(pytester, monkeypatch, options):
    write_project(pytester, ini=PRICES)
    run(pytester)
    told = expected_in_all(pytester)
    monkeypatch.setenv("MIPRO_TEST_CALLS", "5")
    result = run(pytester, "--mipro-replies=fresh", *options)
    result.stdout.fnmatch_lines(["*INCOMPLETE: *had an error*"])
    assert expected_in_all(pytester) == told


def test_a_gate_run_that_stops_before_a_test_leaves_the_forecast_as_it_is(pytester):
    plain = "def test_plain():\n    assert False\n"
    later = TESTS.replace("test_parity", "test_later")
    write_project(pytester, f"{TESTS}\n{plain}\n{later}")
    run(pytester)
    (usage,) = (pytester.path / ".mipro" / "usage").glob("*.json")
    before = usage.read_text(encoding="utf-8")
    run(pytester, "-x")
    assert usage.read_text(encoding="utf-8") == before


def test_a_gate_forecasts_better_than_a_search_that_was_cut_short(pytester):
    write_project(pytester, ini=PRICES)
    run(pytester)
    told = optimize(pytester, "--mipro-dry-run").outlines
    optimize(pytester, "--mipro-max-calls=90")
    again = optimize(pytester, "--mipro-dry-run").outlines
    (line,) = (line for line in told if line.lstrip().startswith("in all"))
    assert line in again


def test_replies_that_are_recorded_tell_no_time_and_make_no_call_look_faster(pytester):
    write_project(pytester, ini=PRICES, conftest=TIMED)
    run(pytester)
    told = time_of(optimize(pytester, "--mipro-dry-run"))
    run(pytester, "--mipro-replies=record")
    (file,) = pytester.path.glob("*.replies.jsonl")
    recorded = file.read_text(encoding="utf-8").splitlines(keepends=True)
    run(pytester)
    assert time_of(optimize(pytester, "--mipro-dry-run")).startswith("time: unknown")
    file.write_text("".join(recorded[:-5]), encoding="utf-8")
    run(pytester)
    assert time_of(optimize(pytester, "--mipro-dry-run")) == told
