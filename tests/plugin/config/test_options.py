"""Options and ini keys: defaults, precedence, both TOML tables, and the help."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from native_toml import native

from pytest_mipro.plugin.config.options import SETTINGS, Options, add_options, options_of
from pytest_mipro.runtime.client.prices import ModelPrice

pytest_plugins = "pytester"


def options(pytester: pytest.Pytester, *args: str) -> Options:
    return options_of(pytester.parseconfig(*args))


def test_defaults(pytester):
    assert vars(options(pytester)) == {}
    assert Options.seed == 0
    assert Options.concurrency == 16
    assert Options.effort == "light"


def test_every_option_arrives(pytester):
    given = options(
        pytester,
        "--mipro-optimize",
        "--mipro-diff",
        "--mipro-seed=7",
        "--mipro-effort=heavy",
        "--mipro-trials=9",
        "--mipro-concurrency=4",
        "--mipro-max-calls=500",
        "--mipro-model=a/b",
        "--mipro-proposer-model=c/d",
        "--mipro-teacher-model=e/f",
        "--mipro-only=demos",
        "--mipro-replies=fresh",
    )
    assert vars(given) == {
        "optimize": True,
        "diff": True,
        "seed": 7,
        "effort": "heavy",
        "trials": 9,
        "concurrency": 4,
        "max_calls": 500,
        "model": "a/b",
        "proposer_model": ("c/d",),
        "teacher_model": "e/f",
        "only": "demos",
        "replies": "fresh",
    }


def test_seed_0_is_a_seed(pytester):
    assert options(pytester, "--mipro-optimize", "--mipro-seed=0").seed == 0


EXPECTED = {
    "concurrency": 4,
    "max_calls": 500,
    "max_tokens": 90_000,
    "max_cost": 2.5,
    "max_time": 600,
    "prices": {"my/model": ModelPrice(0.5, 1.5), "b": ModelPrice(0, 1)},
    "case_timeout": 30,
    "model": "a/b",
    "proposer_model": ("c/d", "g/h"),
    "minibatch_size": 20,
    "candidates": 6,
    "max_demos": 0,
    "max_demo_tokens": 700,
    "teacher_model": "e/f",
    "only": "instructions",
    "max_output_tokens": 300,
    "max_calls_per_case": 12,
    "min_holdout": 50,
    "rerun_safe": ("db", "api client"),
    "lm_addresses": ("llm.example.com/v2/*", "!one.example.com/*"),
    "allowed_hosts": ("db.example.com",),
    "requests_per_minute": 500,
    "timeout": 2.5,
    "api_base": "http://localhost:8000/v1",
    "replies": "replay",
    "gate_on": "holdout",
    "strict": True,
}
TYPED = """
mipro_concurrency = 4
mipro_max_calls = 500
mipro_max_tokens = 90000
mipro_max_cost = 2.5
mipro_max_time = 600.0
mipro_prices = ["my/model 0.5 1.5", "b 0 1"]
mipro_case_timeout = 30.0
mipro_model = "a/b"
mipro_proposer_model = "c/d, g/h"
mipro_minibatch_size = 20
mipro_candidates = 6
mipro_max_demos = 0
mipro_max_demo_tokens = 700
mipro_teacher_model = "e/f"
mipro_only = "instructions"
mipro_max_output_tokens = 300
mipro_max_calls_per_case = 12
mipro_min_holdout = 50
mipro_rerun_safe = ["db", "api client"]
mipro_lm_addresses = ["llm.example.com/v2/*", "!one.example.com/*"]
mipro_allowed_hosts = ["db.example.com"]
mipro_requests_per_minute = 500
mipro_timeout = 2.5
mipro_api_base = "http://localhost:8000/v1"
mipro_replies = "replay"
mipro_gate_on = "holdout"
mipro_strict = true
"""
PLAIN = (
    TYPED.replace('["db", "api client"]', "db 'api client'")
    .replace('["my/model 0.5 1.5", "b 0 1"]', "\n    my/model 0.5 1.5\n    b 0 1")
    .replace('["llm.example.com/v2/*", "!', "\n    llm.example.com/v2/*\n    !")
    .replace('one.example.com/*"]', "one.example.com/*")
    .replace('["db.example.com"]', "db.example.com")
    .replace('"', "")
)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        pytest.param("pyproject.toml", "[tool.pytest]\n" + TYPED, id="native", marks=native),
        pytest.param("pyproject.toml", "[tool.pytest.ini_options]\n" + TYPED, id="ini_options"),
        pytest.param("pytest.ini", "[pytest]\n" + PLAIN, id="pytest.ini"),
    ],
)
def test_every_ini_key_arrives_from_every_file(pytester, file, text):
    assert all(row.key in text for row in SETTINGS)
    pytester.path.joinpath(file).write_text(text)
    assert vars(options(pytester, "--strict-config")) == EXPECTED


@native
@pytest.mark.parametrize("line", ["mipro_timeout = 3", "mipro_timeout = 3.0"])
def test_seconds_may_be_whole_in_native_toml(pytester, line):
    pytester.path.joinpath("pyproject.toml").write_text(f"[tool.pytest]\n{line}\n")
    assert options(pytester).timeout == 3.0


def test_the_command_line_beats_the_ini_file(pytester):
    pytester.makeini(
        "[pytest]\nmipro_concurrency = 4\nmipro_max_calls = 5\nmipro_proposer_model = i/i"
    )
    given = options(pytester, "--mipro-optimize", "--mipro-concurrency=8", "--mipro-max-calls=9")
    assert (given.concurrency, given.max_calls, given.proposer_model) == (8, 9, ("i/i",))
    assert options(pytester, "-o", "mipro_concurrency=2").concurrency == 2


def test_the_model_is_option_then_environment_then_ini(pytester, monkeypatch):
    pytester.makeini("[pytest]\nmipro_model = from/ini")
    assert options(pytester).model == "from/ini"
    monkeypatch.setenv("MIPRO_MODEL", "from/env")
    assert options(pytester).model == "from/env"
    assert options(pytester, "--mipro-model=from/option").model == "from/option"
    monkeypatch.setenv("MIPRO_MODEL", "")
    assert options(pytester).model == "from/ini"


def test_they_are_parsed_once(pytester, monkeypatch):
    config = pytester.parseconfig("--mipro-model=a/b")
    first = options_of(config)
    config.option.mipro_model = "c/d"
    assert options_of(config) is first


def test_the_help_names_every_option_in_one_group(pytester):
    text = pytester.runpytest("--help").stdout.str()
    group = text.partition("prompt optimisation (pytest-mipro")[2]
    assert all(row.option in group for row in SETTINGS)
    assert all(f"{row.key} (" in text for row in SETTINGS if row.key)


@pytest.mark.parametrize(
    ("version", "numbers"), [((8, 2, 1), set()), ((8, 4, 0), {"int", "float"})]
)
def test_only_types_that_this_pytest_knows_are_declared(monkeypatch, version, numbers):
    declared = set()
    group = SimpleNamespace(addoption=lambda *args, **kwargs: None)
    parser = SimpleNamespace(
        getgroup=lambda *args: group, addini=lambda key, text, kind, default: declared.add(kind)
    )
    monkeypatch.setattr(pytest, "version_tuple", version)
    add_options(parser)
    assert declared == {"string", "bool", "args", "linelist", *numbers}


def test_the_file_is_light():
    code = (
        "import sys, pytest, importlib.util as u\n"
        f"s = u.spec_from_file_location('options', {sys.modules[Options.__module__].__file__!r})\n"
        "m = sys.modules['options'] = u.module_from_spec(s)\n"
        "before = set(sys.modules)\n"
        "s.loader.exec_module(m)\n"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    package = {
        "pytest_mipro",
        "pytest_mipro.pages",
        "pytest_mipro.plugin",
        "pytest_mipro.plugin.config",
        "pytest_mipro.plugin.config.option_checks",
        "pytest_mipro.plugin.config.setting",
    }
    assert set(done.stdout.split()) == package
