"""What a run shows of its verdicts: doubts, holdout, lock, groups, samples and cases."""

from __future__ import annotations

import json

import pytest
from judged import passing, verdict_on

# Imported here, as numpy can't be loaded a second time by a run inside this process.
import pytest_mipro.plugin.optimise.capture_hooks  # noqa: F401
from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase, dump_lock
from pytest_mipro.plugin.report.terminal import _verdict_line

WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n1"])

TICKETS = """
from pytest_mipro import cases

@pytest.mark.mipro({mark})
@cases("tickets.jsonl")
def test_echo(text, wanted):
    said = echo(text=text)
    assert said == wanted, f"said {{said}}"
"""


def tickets(pytester, *rows):
    """Write the cases: an id, what is asked, what is wanted, and further columns."""
    listed = [{"id": name, "text": t, "wanted": w, **more} for name, t, w, more in rows]
    text = "".join(json.dumps(row) + "\n" for row in listed)
    (pytester.path / "tickets.jsonl").write_text(text)
    return listed


def lock(pytester, rows, scores):
    cases = tuple(
        LockedCase(
            f"test_echo[{row['id']}]",
            "test_echo",
            f"tickets.jsonl:{row['id']}",
            content_digest(row),
            score,
        )
        for row, score in zip(rows, scores, strict=True)
    )
    text = dump_lock(Lock("", 0, 9, cases=cases))
    (pytester.path / "test_desk.mipro.json").write_text(text)


def block(result):
    """Return the lines of the study's block, up to what its calls took."""
    lines = result.stdout.lines
    start = next(n for n, line in enumerate(lines) if "- mipro: test_desk.py -" in line)
    end = next(n for n, line in enumerate(lines) if n > start and "LM call" in line)
    return lines[start + 1 : end]


@WORKERS
def test_a_passing_block_tells_what_changed_since_the_lock(pytester, desk, workers):
    pytest.importorskip("xdist")
    desk(TICKETS.format(mark="threshold=0.4"))
    rows = tickets(
        pytester,
        ("T-1", "one", "one", {}),
        ("T-2", "two", "due", {}),
        ("T-3", "three", "three", {}),
        ("T-4", "four", "vier", {}),
        ("T-5", "five", "five", {}),
    )
    lock(pytester, rows[:4], [0.0, 1.0, 1.0, 0.0])
    result = pytester.runpytest(workers)
    assert result.ret == 0
    assert block(result) == [
        "test_echo  0.600 (0.23 to 0.88)  5 cases  2 missed",
        "    passed: threshold 0.40 reached",
        "    too few cases to tell 0.60 from 0.40: 5 cases detect a distance of 0.39",
        "    +0.000 (-0.76 to +0.76) against the lock: 1 improved, 1 regressed; 1 case",
        "    not in it",
        "    regressed from the lock: 1 case",
        "      T-2  1.00 → 0.00  said two; got 'two', wanted 'due'",
        "          - pipeline.echo: two",
        "    improved (1): T-1",
        "    missed (1): T-4",
    ]


def test_a_failed_verdict_tells_its_cases_with_the_reason(pytester, desk):
    desk(TICKETS.format(mark="threshold=0.9"))
    many = [(f"T-{n}", f"{n}", "other", {}) for n in range(1, 8)]
    rows = tickets(pytester, ("T-0", "down", "down", {}), *many)
    lock(pytester, rows, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(
        [
            "incomplete: 1 case had an error",
            "broken: 1 case",
            "  T-0  error  *the endpoint is down*",
            "regressed from the lock: 1 case",
            "  T-3  1.00 → 0.00  said 3; got '3', wanted 'other'",
            "      - pipeline.echo: 3",
            "missed: 6 cases",
            "  T-1  0.00  said 1; got '1', wanted 'other'",
            "  and 1 more (-v shows all)",
        ]
    )
    result.stdout.no_fnmatch_line("  T-7  0.00*")
    pytester.runpytest("-v").stdout.fnmatch_lines(["missed: 6 cases", "  T-7  0.00*"])


def test_a_verbose_block_tells_every_case_of_a_passing_test(pytester, desk):
    desk(TICKETS.format(mark="threshold=0.1"))
    long = " ".join(["words"] * 60)
    tickets(
        pytester,
        ("T-0", "yes", "yes", {}),
        ("T-1", long, "short", {}),
        *((f"T-{n}", "no", "other", {}) for n in range(2, 9)),
    )
    short, full = (pytester.runpytest(*option) for option in ((), ("-v",)))
    assert block(short)[-1] == "    missed (8): T-1, T-2, T-3, T-4, T-5, T-6, T-7, T-8"
    lines = block(full)
    assert "    missed: 8 cases" in lines
    assert [line.split()[0] for line in lines if "  0.00" in line] == [
        f"T-{n}" for n in range(1, 9)
    ]
    assert max(len(line) for line in (*block(short), *lines)) <= 80


def test_a_group_that_always_fails_fails_the_verdict(pytester, desk):
    desk(TICKETS.format(mark='threshold=0.8, group="product"'))
    tickets(
        pytester,
        *((f"A-{n}", f"a{n}", f"a{n}", {"product": "app"}) for n in range(30)),
        *((f"B-{n}", f"b{n}", "other", {"product": "billing"}) for n in range(4)),
    )
    result = pytester.runpytest()
    assert result.ret == 1
    assert block(result) == [
        "test_echo  0.882 (0.73 to 0.95)  34 cases  4 missed",
        "    FAILED: below the threshold 0.80 in product=billing (mean 0.00, p 0.003)",
        "    too few cases to tell 0.88 from 0.80: 34 cases detect a distance of 0.12",
        "    product  cases  mean                         p",
        "    billing      4  0.000 (0.00 to 0.49)     0.003  FAILED",
        "    app         30  1.000 (0.89 to 1.00)     1.000",
    ]
    result.stdout.fnmatch_lines(
        [
            "*_ verdict on test_echo _*",
            "below the threshold 0.80 in product=billing (mean 0.00, p 0.003)",
            "billing      4  0.000 (0.00 to 0.49)     0.003  FAILED",
            "missed: 4 cases",
        ]
    )


def test_a_group_of_several_lines_is_one_row(pytester, desk):
    desk(TICKETS.format(mark='threshold=0.1, group="product"'))
    tickets(
        pytester,
        ("A-1", "one", "one", {"product": "app\nfor phones"}),
        ("B-1", "two", "two", {"product": "billing"}),
    )
    head = next(n for n, line in enumerate(block(pytester.runpytest())) if "cases  mean" in line)
    assert [line[:20] for line in block(pytester.runpytest())[head + 1 : head + 3]] == [
        "    app for phones  ",
        "    billing         ",
    ]


def test_a_group_that_is_no_column_is_refused(pytester, desk):
    desk(TICKETS.format(mark='threshold=0.8, group="produkt"'))
    tickets(pytester, ("T-1", "one", "one", {"product": "app"}))
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    problem = "group='produkt' is no column of its cases; columns: id, product, text, wanted"
    result.stdout.fnmatch_lines([f"test_desk.py::test_echo: @pytest.mark.mipro: {problem}"])


def test_the_gate_can_judge_the_holdout_alone(pytester, desk):
    desk(TICKETS.format(mark="threshold=0.6"))
    places = ["holdout"] * 4 + ["train"] * 4 + ["validation"] * 4
    tickets(
        pytester,
        *(
            (f"T-{n:02}", f"yes {n}", "no" if n < 3 else f"yes {n}", {"split": place})
            for n, place in enumerate(places)
        ),
    )
    with (pytester.path / "tox.ini").open("a") as ini:
        ini.write("\nmipro_min_holdout = 4\n")
    whole = pytester.runpytest()
    assert whole.ret == 0
    whole.stdout.fnmatch_lines(["test_echo  0.750 *", "    holdout 0.250 (0.05 to 0.70)  4 cases"])
    held = pytester.runpytest("-o", "mipro_gate_on=holdout")
    assert held.ret == 1
    held.stdout.fnmatch_lines(
        [
            "*FAILED: holdout mean 0.25 is below the threshold 0.60 by 0.35",
            "    holdout 0.250 (0.05 to 0.70)  4 cases, which is judged",
        ]
    )


def test_a_gate_on_a_holdout_that_is_too_small_says_so(pytester, desk):
    desk(TICKETS.format(mark="threshold=0.6"))
    tickets(pytester, *((f"T-{n}", "yes", "yes", {}) for n in range(12)))
    result = pytester.runpytest("-o", "mipro_gate_on=holdout")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["incomplete: mipro_gate_on=holdout: the study has * holdout rows of the 30 that it needs*"]
    )
    result = pytester.runpytest("-o", "mipro_gate_on=some")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*mipro_gate_on must be one of all, holdout, got 'some'*"])


def test_the_holdout_is_that_of_the_rows_whatever_the_study_is_called(pytester, desk):
    desk(TICKETS.format(mark="threshold=0.1"))
    rows = tickets(pytester, *((f"T-{n}", f"yes {n}", f"yes {n}", {}) for n in range(24)))
    with (pytester.path / "tox.ini").open("a") as ini:
        ini.write("\nmipro_min_holdout = 2\n")

    def held_out():
        result = pytester.runpytest()
        (line,) = [line for line in result.stdout.lines if "    holdout" in line]
        return result, line

    plan = pytester.runpytest("--mipro-optimize", "--mipro-dry-run")
    plan.stdout.fnmatch_lines(["*: 14 training and validation, 10 holdout"])
    _, first = held_out()
    assert first.endswith(" 10 cases")
    lock(pytester, rows, [1.0] * 24)
    result, second = held_out()
    assert second == first
    result.stdout.fnmatch_lines(["*the holdout has other rows than the search held out*"])
    test = pytester.path / "test_desk.py"
    test.write_text(test.read_text().replace("threshold=0.1", 'threshold=0.1, study="chosen"'))
    assert held_out()[1] == first


def test_samples_that_disagree_are_named(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.2, repeats=3)
@pytest.mark.parametrize("wanted", ["0", "1", "none"])
def test_sampled(wanted): assert echo(text="sampled") == wanted

@pytest.mark.mipro(threshold=0.2, repeats=2)
@pytest.mark.parametrize("text", ["a", "b"])
def test_steady(text): assert echo(text=text) == text
""")
    lines = block(pytester.runpytest())
    assert lines[:5] == [
        "test_sampled  0.222 (0.03 to 0.85)  3 cases  3 missed",
        "    passed: threshold 0.20 reached",
        "    too few cases to tell 0.22 from 0.20: 3 cases detect a distance of 0.50",
        "    all 3 samples pass in 0.0 % of the rows (pass^3)",
        "    flaky (2): 0 1/3, 1 1/3",
    ]
    assert "    all 2 samples pass in 100.0 % of the rows (pass^2)" in lines


def test_what_travels_on_reports_is_bounded_and_can_be_encoded(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("n", [1, 2])
def test_long(n):
    for _ in range(40): echo(text="x" * 5000 + chr(0xD800))
    assert n == 1, "y" * 100_000
""")
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
def pytest_runtest_logreport(report):
    if "case" in getattr(report, "mipro", {}):
        with open("sizes.txt", "a") as file:
            print(len(str(report.mipro)), file=file)
""")
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["test_long  0.500 *"])
    sizes = [int(line) for line in (pytester.path / "sizes.txt").read_text().split()]
    assert max(sizes) < 10_000


def test_thousands_are_parted_in_each_number():
    _, numbers, _ = _verdict_line(verdict_on(passing(999, 1999), threshold=0.1), 6)
    assert numbers.endswith("  1,999 cases  1,000 missed")


def test_a_renamed_case_file_holds_out_the_same_rows(pytester, desk):
    desk(TICKETS.format(mark="threshold=0.1"))
    tickets(pytester, *((f"T-{n}", f"yes {n}", f"yes {n}", {}) for n in range(24)))
    with (pytester.path / "tox.ini").open("a") as ini:
        ini.write("\nmipro_min_holdout = 2\n")
    assert pytester.runpytest("--mipro-update-lock").ret == 0
    path = pytester.path / "test_desk.mipro.json"
    path.write_text(path.read_text().replace('"logical_calls": 0', '"logical_calls": 9'))
    assert '"holdout": "' in path.read_text()
    (pytester.path / "tickets.jsonl").rename(pytester.path / "rows.jsonl")
    test = pytester.path / "test_desk.py"
    test.write_text(test.read_text().replace("tickets.jsonl", "rows.jsonl"))
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["    holdout * 10 cases"])
    result.stdout.no_fnmatch_line("*the holdout has other rows*")
