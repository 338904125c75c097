"""Budgets that can't hold, and values that are none: refused before the first call."""

import json

import pytest
from optimize_project import PRICED, live_calls, optimize, run, write_project


@pytest.mark.parametrize(
    ("ini", "rule"),
    [
        ("mipro_max_output_tokens = 5", "a limit of the cost needs the price of each model"),
        ("mipro_prices = test/fake 1 1", "a limit of tokens or cost needs a limit of the output"),
    ],
)
def test_a_cost_that_can_not_be_bounded_is_refused_before_the_first_call(pytester, ini, rule):
    write_project(pytester, ini=ini)
    result = optimize(pytester, "--mipro-max-cost=1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"{rule}*'test/fake'*; set ini mipro_*"])
    assert live_calls(pytester) == 0
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("option", "limit"), [("max-cost=0.001", "$0.001"), ("max-tokens=3", "3 tokens")]
)
def test_a_limit_that_holds_no_call_is_told_by_its_option(pytester, option, limit):
    write_project(pytester, ini=PRICED)
    wide = "--mipro-max-calls=1000", "--mipro-max-cost=9"  # what holds all calls is not named
    text = " ".join(optimize(pytester, *wide, f"--mipro-{option}").stdout.str().split())
    line = f"the limit of {limit} ends within the baseline of 40 cases; raise it (--mipro-"
    assert f"{line}{option.partition('=')[0]}" in text
    assert live_calls(pytester) == 0


@pytest.mark.parametrize("toml", [True, False])
def test_the_remedy_of_a_price_is_in_the_form_of_the_ini_file(pytester, toml):
    write_project(pytester)
    if toml:
        (pytester.path / "tox.ini").unlink()
        pytester.makepyprojecttoml(
            '[tool.pytest.ini_options]\npythonpath = ["."]\nmipro_model = "test/fake"\n'
            "mipro_max_output_tokens = 5\n"
        )
    else:
        write_project(pytester, ini="mipro_max_output_tokens = 5")
    text = " ".join(optimize(pytester, "--mipro-max-cost=1").stdout.str().split())
    line = "test/fake PROMPT COMPLETION"
    assert f"set ini mipro_prices = {json.dumps([line]) if toml else line} in dollars" in text


def test_so_are_tokens_without_an_output_limit(pytester):
    write_project(pytester)
    result = optimize(pytester, "--mipro-max-tokens=100000")
    result.stdout.fnmatch_lines(
        ["a limit of tokens or cost needs a limit of the output*; set ini mipro_max_o*"]
    )
    assert live_calls(pytester) == 0


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--mipro-max-cost=0"],
            "--mipro-max-cost must be a number of US dollars above 0, got '0'",
        ),
        (["--mipro-max-time=soon"], "--mipro-max-time must be a number of seconds above 0, *"),
        (["--mipro-max-tokens=1.5"], "--mipro-max-tokens must be a whole number of at least 1, *"),
        (["-o", "mipro_prices=m 1"], "ini key mipro_prices must be lines of a model and its *"),
        (["-o", "mipro_case_timeout=-1"], "ini key mipro_case_timeout must be a number of sec*"),
    ],
)
def test_wrong_values_are_one_line(pytester, options, line):
    write_project(pytester)
    result = run(pytester, "--mipro-optimize", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {line}"])


def test_a_budget_typed_without_optimize_is_refused(pytester):
    write_project(pytester)
    result = run(pytester, "--mipro-max-cost=1")
    result.stderr.fnmatch_lines(
        ["ERROR: --mipro-max-cost has no meaning without --mipro-optimize*"]
    )
