"""Options and ini keys of `--mipro-optimize`, one test a matter."""

import json
import re

import pytest
from optimize_project import LOCK, TESTS, calls, live_calls, optimize, run, write_project, written


def test_trials_says_how_many_assignments_are_tried(pytester):
    write_project(pytester)
    result = run(pytester, "--mipro-optimize", "--mipro-trials=3", "-o", "mipro_min_holdout=30")
    result.stdout.fnmatch_lines(["*  3 trials of 8 rows *"])


def many(rows: int) -> str:
    return TESTS.replace("range(40)", f"range({rows})")


@pytest.mark.parametrize(
    ("effort", "trials", "rounds"), [("light", 9, 2), ("medium", 20, 4), ("heavy", 48, 6)]
)
def test_the_effort_sizes_the_search(pytester, effort, trials, rounds):
    write_project(pytester, many(120))
    result = run(pytester, "--mipro-optimize", "--mipro-dry-run", f"--mipro-effort={effort}")
    result.stdout.fnmatch_lines([f"search      {rounds} rounds, {trials} trials of 8 rows*"])
    result.stdout.no_fnmatch_line("effort *")


@pytest.mark.parametrize(
    ("rows", "selected", "taken", "sizes"),
    [
        (40, (), "light: 40 rows", "2 rounds, 9 trials"),
        (119, (), "medium: 119 rows", "4 rounds, 20 trials"),
        (120, ("-k", "1"), "light: 39 rows", "2 rounds, 9 trials"),
    ],
)
def test_few_rows_are_searched_with_the_effort_that_they_carry(
    pytester, rows, selected, taken, sizes
):
    write_project(pytester, many(rows))
    dry = ("--mipro-optimize", "--mipro-dry-run", "--mipro-effort=heavy", *selected)
    result = run(pytester, *dry)
    said = f"effort      {taken} carry no heavy, which takes 120 *"
    result.stdout.fnmatch_lines([said, f"search      {sizes} of 8 rows*"])


def test_rows_of_one_cluster_carry_what_one_row_does(pytester):
    rows = ({"id": str(n), "number": n, "cluster": str(n // 4)} for n in range(120))
    (pytester.path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clustered = """
from pytest_mipro import cases

@pytest.mark.mipro(threshold=0.1)
@cases("rows.jsonl")
def test_parity(number):
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""
    write_project(pytester, clustered)
    result = run(pytester, "--mipro-optimize", "--mipro-dry-run", "--mipro-effort=medium")
    result.stdout.fnmatch_lines(["effort      light: 30 clusters of 120 rows carry no medium, *"])


def test_a_run_says_that_its_rows_carry_less_effort_and_takes_less(pytester):
    write_project(pytester)
    result = run(pytester, "--mipro-optimize", "--mipro-effort=medium")
    note = "effort      light: 40 rows carry no medium, which takes 100 *"
    result.stdout.fnmatch_lines([note, "*  9 trials of 8 rows *"])


def test_with_a_number_of_trials_the_effort_stays_as_asked(pytester):
    write_project(pytester)
    args = ("--mipro-optimize", "--mipro-dry-run", "--mipro-effort=heavy", "--mipro-trials=30")
    result = run(pytester, *args)
    result.stdout.fnmatch_lines(["search      6 rounds, 30 trials of 8 rows*"])
    result.stdout.no_fnmatch_line("effort *")


TWO_MODULES = '''

@lm_module
def tidy(number: str) -> str:
    """Repeat the number, without blanks."""
'''

TIDIED = TESTS.replace("str(number))", "tidy(number=str(number)) and str(number))")


@pytest.mark.parametrize(("given", "trials"), [((), 13), (("--mipro-trials=3",), 3)])
def test_a_pipeline_gets_more_trials_unless_their_number_is_given(pytester, given, trials):
    tests = f"from pipeline import tidy\n{TIDIED}"
    write_project(pytester, tests, pipeline=TWO_MODULES)
    result = run(pytester, "--mipro-optimize", *given)
    result.stdout.fnmatch_lines([f"*  {trials} trials of 8 rows (or more of one module each) *"])
    dry = run(pytester, "--mipro-optimize", "--mipro-dry-run", *given)
    dry.stdout.fnmatch_lines([f"search      2 rounds, {trials} trials of 8 rows (or more *"])


def test_the_budget_holds_and_the_search_ends_with_it(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-diff")
    limit = live_calls(pytester) - 10
    result = optimize(pytester, f"--mipro-max-calls={limit}", "--mipro-model=test/uncached")
    assert result.ret == 0
    assert 40 <= live_calls(pytester) <= limit
    text = " ".join(result.stdout.str().split())
    assert f"limits: {limit} calls" in text
    assert "mipro: the search ended early: " in text


@pytest.mark.parametrize(("limit", "said"), [(1, "1 call"), (39, "39 calls")])
def test_a_budget_below_the_baseline_is_one_line(pytester, limit, said):
    write_project(pytester)
    result = optimize(pytester, f"--mipro-max-calls={limit}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    line = f"the limit of {said} ends within the baseline of 40 cases; raise it (--mipro-m"
    assert sum(line in text for text in result.outlines) >= 1
    assert live_calls(pytester) <= limit
    assert written(pytester) == {}


def test_a_budget_below_the_baseline_says_what_is_enough_once_a_gate_run_tells(pytester):
    write_project(pytester)
    run(pytester)
    short = " ".join(optimize(pytester, "--mipro-max-calls=30").stdout.str().split())
    found = re.search(r"raise it to about (\d+) calls or more, and to about (\d+) calls", short)
    assert found
    assert "cached: with a higher limit, the same command resumes from there" in short
    least, whole = map(int, found.groups())
    for limit, ends in ((least - 1, True), (least, False)):
        text = " ".join(optimize(pytester, f"--mipro-max-calls={limit}").stdout.str().split())
        assert ("will end the run before its first trial" in text) == ends
        assert ("Nothing is written for this study" in text) == ends
    plan = optimize(pytester, f"--mipro-max-calls={whole}", "--mipro-dry-run").stdout.str()
    assert "the limit will end" not in plan


@pytest.mark.parametrize("limit", [80, 350])  # below and above what it tells for all trials
def test_a_gate_run_of_other_cases_tells_no_limit_below_the_one_that_ended(pytester, limit):
    write_project(pytester)
    run(pytester)
    asking_more = "    for more in range(9):\n        parity(number=f'{number}{more}')\n    assert"
    write_project(pytester, TESTS.replace("    assert", asking_more))
    text = " ".join(optimize(pytester, f"--mipro-max-calls={limit}").stdout.str().split())
    assert "ends within the baseline of 40 cases; raise it (--mipro-max-calls)" in text


JUDGE = """
@lm_module(optimize=False)
def judge(answer: str) -> str:
    "Judge the answer."
"""
JUDGED = TESTS.replace(
    "    assert", "    from pipeline import judge\n    judge(answer='odd')\n    assert"
)
OF_TWO_MODELS = TESTS.replace("0.1", "0.1, models=['test/one', 'test/two']")


@pytest.mark.parametrize("source", [JUDGED, OF_TWO_MODELS])
def test_what_is_enough_holds_the_trials_of_one_module_beside_a_judge(pytester, source):
    write_project(pytester, source, pipeline=JUDGE)
    run(pytester, "--mipro-update-lock")
    short = ("--mipro-optimize", "--mipro-max-calls=10")
    told = [" ".join(run(pytester, *short, *more).outlines) for more in ((), ("--mipro-trials=9",))]
    of_effort, of_nine = (re.findall(r"to about (\d+) calls", text) for text in told)
    assert of_effort == of_nine != []


SETTLE = """
@lm_module
def settle(number: str) -> Literal["odd", "even"]:
    "Settle it."
"""
SETTLED = TESTS.replace(
    "    assert",
    """    from hashlib import sha256
    from pipeline import settle
    right = parity(number=str(number)) == ("odd" if number % 2 else "even")
    if right and sha256(str(number).encode()).digest()[0] > 64:  # beyond the committed prompt
        settle(number=str(number))
    assert""",
)


def test_a_run_that_finds_a_module_late_planned_the_trials_that_it_had(pytester):
    write_project(pytester, SETTLED, pipeline=SETTLE)
    plans = []
    for more in ((), ("--mipro-trials=9",)):
        result = run(pytester, "--mipro-optimize", "--mipro-diff", *more)
        assert "1 module: pipeline.parity" in result.stdout.str()
        [journal] = (pytester.path / ".mipro/bills").glob("*.jsonl")
        ends = [line for line in journal.read_text().splitlines() if '"finished"' in line]
        end = json.loads(ends[-1])
        assert end["modules"] == 2
        plans.append(end["planned"])
    assert plans[0] == plans[1]


def test_a_budget_that_leaves_no_decision_is_one_line(pytester):
    write_project(pytester)
    result = optimize(pytester, "--mipro-max-calls=41")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*the limit of 41 calls leaves 1 call, the decision with its *raise it * (--mipro-m*"]
    )
    assert written(pytester) == {}


def test_the_ini_key_limits_calls_too(pytester):
    write_project(pytester, ini="mipro_max_calls = 39")
    assert optimize(pytester).ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("model", ["--mipro-model=test/other", "MIPRO_MODEL=test/other"])
def test_the_model_is_asked_and_locked(pytester, monkeypatch, model):
    write_project(pytester)
    if model.startswith("MIPRO"):
        monkeypatch.setenv(*model.split("="))
        optimize(pytester)
    else:
        optimize(pytester, model)
    assert calls(pytester).split()[1:] == ["test/other"]
    lock = json.loads((pytester.path / LOCK).read_text())
    assert [module["model"] for module in lock["modules"]] == ["test/other"]


@pytest.mark.parametrize("ini", ["", "mipro_proposer_model = test/writer"])
def test_the_proposer_model_writes_the_instructions(pytester, ini):
    write_project(pytester, ini=ini)
    optimize(pytester, *(() if ini else ("--mipro-proposer-model=test/writer",)))
    assert calls(pytester).split()[1:] == ["test/fake", "test/writer"]


@pytest.mark.parametrize(
    ("only", "found"),
    [
        ("instructions", "* instructions, 1 demo set of *"),
        ("demos", "1 instruction, * demo sets of *"),
    ],
)
def test_only_searches_one_of_the_two(pytester, only, found):
    write_project(pytester)
    result = optimize(pytester, f"--mipro-only={only}", "--mipro-diff")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"round 1     parity * {found}"])


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("mipro_minibatch_size", 5, "*4 trials of 5 rows *"),
        ("mipro_max_demos", 0, "round 1     parity  * instructions, 1 demo set of *"),
        ("mipro_min_holdout", 30, "*too few rows for a holdout: *not independently"),
    ],
)
def test_ini_keys_reach_the_search(pytester, key, value, line):
    write_project(pytester)
    result = optimize(pytester, "-o", f"{key}={value}", "--mipro-diff")
    assert result.ret == 0
    result.stdout.fnmatch_lines([line])


def test_more_candidates_are_more_instructions(pytester):
    write_project(pytester)
    counts = []
    for number in (3, 6):
        result = optimize(pytester, "-o", f"mipro_candidates={number}", "--mipro-diff")
        line = next(line for line in result.outlines if line.startswith("round 1 "))
        counts.append(int(line.split()[3]))
    assert counts[1] == counts[0] + 3


def test_the_output_limit_is_a_parameter_of_the_call(pytester):
    write_project(pytester, ini="mipro_max_output_tokens = 5")
    optimize(pytester)
    lock = json.loads((pytester.path / LOCK).read_text())
    assert lock["modules"][0]["parameters"] == {"temperature": 0, "max_tokens": 5}


def test_xdist_is_refused(pytester):
    write_project(pytester)
    result = pytester.runpytest_inprocess("--mipro-optimize", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mipro-optimize runs in one process *-n 0*"])
    assert len([line for line in result.errlines if line.strip()]) == 1
    assert written(pytester) == {}


def test_one_worker_fewer_than_one_is_fine(pytester):
    write_project(pytester)
    assert optimize(pytester, "-n", "0", "--mipro-dry-run").ret == 0
