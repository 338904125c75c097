"""Options and ini keys that are refused with one line and exit 4, and those that are not."""

from __future__ import annotations

import pytest
from native_toml import native

USAGE = pytest.ExitCode.USAGE_ERROR


def refused(pytester: pytest.Pytester, *args: str) -> str:
    """Run pytest; return the one line with which it refuses the run."""
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest(*args)
    assert result.ret == USAGE
    lines = [line for line in result.stderr.lines + result.outlines if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    assert len(errors) == 1, lines
    assert not any("Traceback" in line for line in lines)
    return errors[0]


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--mipro-seed=-1", "--mipro-seed must be a whole number of at least 0 and at most"),
        ("--mipro-seed=4294967296", "at most 4294967295, got '4294967296'"),
        ("--mipro-effort=huge", "--mipro-effort must be one of light, medium, heavy, got 'huge'"),
        ("--mipro-trials=0", "--mipro-trials must be a whole number of at least 1, got '0'"),
        ("--mipro-trials=many", "--mipro-trials must be a whole number of at least 1, got 'many'"),
        ("--mipro-concurrency=0", "--mipro-concurrency must be a whole number of at least 1"),
        ("--mipro-max-calls=1.5", "--mipro-max-calls must be a whole number of at least 1"),
        ("--mipro-only=tips", "--mipro-only must be one of instructions, demos, got 'tips'"),
        ("--mipro-replies=old", "must be one of auto, record, replay, fresh, got 'old'"),
        ("--mipro-model= ", "--mipro-model must be a name, as provider/name, got ' '"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_4(pytester, option, text):
    assert text in refused(pytester, "--mipro-optimize", option)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("mipro_lm_addresses = http://x/y", "must be lines of HOST/PATH, without http://"),
        ("mipro_concurrency = many", "ini key mipro_concurrency must be a whole number: "),
        ("mipro_concurrency = 0", "ini key mipro_concurrency must be a whole number of at least 1"),
        ("mipro_min_holdout = 1", "ini key mipro_min_holdout must be a whole number of at least 2"),
        ("mipro_max_demos = -1", "ini key mipro_max_demos must be a whole number of at least 0"),
        (
            "mipro_requests_per_minute = 0",
            "ini key mipro_requests_per_minute must be a whole number of at least 1",
        ),
        ("mipro_max_tokens = 1.5", "ini key mipro_max_tokens must be a whole number: "),
        ("mipro_timeout = 0", "ini key mipro_timeout must be a number of seconds above 0, got 0.0"),
        ("mipro_timeout = nan", "ini key mipro_timeout must be a number of seconds above 0"),
        ("mipro_timeout = soon", "ini key mipro_timeout must be a number: "),
        ("mipro_api_base = localhost", "ini key mipro_api_base must be an address that begins"),
    ],
)
def test_a_wrong_ini_key_is_one_line_and_exit_4(pytester, line, text):
    pytester.makeini(f"[pytest]\n{line}")
    assert text in refused(pytester)


@native
@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('mipro_concurrency = "4"', "mipro_concurrency must be a whole number: "),
        ('mipro_prices = "m 1 2"', "mipro_prices must be a list of texts: "),
        ("mipro_model = 4", "mipro_model must be a text: "),
    ],
)
def test_a_wrong_type_in_native_toml_is_one_line_and_exit_4(pytester, line, text):
    pytester.makepyprojecttoml(f"[tool.pytest]\n{line}")
    assert text in refused(pytester)


@pytest.mark.parametrize(
    "option",
    [
        "--mipro-dry-run",
        "--mipro-diff",
        "--mipro-trials=5",
        "--mipro-seed=1",
        "--mipro-max-calls=5",
    ],
)
def test_what_belongs_to_optimising_is_refused_without_it(pytester, option):
    line = refused(pytester, option)
    assert f"{option.partition('=')[0]} has no meaning without --mipro-optimize" in line


def test_addopts_may_hold_defaults_for_optimising(pytester):
    pytester.makeini("[pytest]\naddopts = --mipro-effort=medium --mipro-seed=3")
    pytester.makepyfile("def test_it(): pass")
    assert pytester.runpytest().ret == 0


def test_dry_run_and_diff_exclude_each_other(pytester):
    line = refused(pytester, "--mipro-optimize", "--mipro-dry-run", "--mipro-diff")
    assert "drop it or --mipro-diff" in line


def test_searching_demos_alone_needs_demos(pytester):
    pytester.makeini("[pytest]\nmipro_max_demos = 0")
    line = refused(pytester, "--mipro-optimize", "--mipro-only=demos")
    assert "leaves nothing to search with mipro_max_demos = 0; drop one of them" in line


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_optimising_asks_for_new_replies(pytester, mode):
    line = refused(pytester, "--mipro-optimize", f"--mipro-replies={mode}")
    assert f"can't run with mipro-replies '{mode}'; optimise with --mipro-replies=auto" in line


@pytest.mark.parametrize("args", [["-n2"], ["--dist=loadfile", "-n", "1"], ["--tx=popen", "-d"]])
def test_optimising_is_refused_under_xdist(pytester, args):
    line = refused(pytester, "--mipro-optimize", *args)
    assert "add -n 0" in line
    assert "--mipro-concurrency" in line


def test_xdist_switched_off_again_is_no_obstacle(pytester):
    pytester.makeini("[pytest]\naddopts = -n2 --dist=loadfile")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest("--mipro-optimize", "-n0")
    assert result.ret != USAGE


def test_optimising_is_refused_without_assertion_texts(pytester):
    assert "drop --assert=plain" in refused(pytester, "--mipro-optimize", "--assert=plain")
